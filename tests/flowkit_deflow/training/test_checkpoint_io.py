"""A run's checkpoints: as a model to try out, and what is refused."""

from pathlib import Path

import pytest
import torch

from flowkit_deflow.errors import UserError
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.training.checkpoint_io import last_checkpoint, model_of_run
from tests.flowkit_deflow.conftest import Command


def test_the_last_checkpoint_of_a_finished_run_is_its_model(trained: Path, deflow: Command, tmp_path: Path) -> None:
    ended = deflow("convert", last_checkpoint(trained), tmp_path / "model")
    assert ended.status == 0, ended
    converted, finished = (DeFlow.from_pretrained(folder) for folder in (tmp_path / "model", trained / "model"))
    assert converted.config == finished.config
    theirs = finished.state_dict()
    assert all(torch.equal(value, theirs[key]) for key, value in converted.state_dict().items())


def test_a_checkpoint_needs_its_run(trained: Path, tmp_path: Path) -> None:
    stray = tmp_path / "checkpoints" / "last.ckpt"
    stray.parent.mkdir()
    stray.write_bytes(last_checkpoint(trained).read_bytes())
    with pytest.raises(UserError, match=r"run\.yaml"):
        model_of_run(stray)


def test_something_else_is_no_checkpoint(trained: Path, tmp_path: Path) -> None:
    (tmp_path / "run.yaml").write_bytes((trained / "run.yaml").read_bytes())
    other = last_checkpoint(tmp_path)
    other.parent.mkdir()
    torch.save({"a": torch.ones(1)}, other)
    with pytest.raises(UserError, match="is no checkpoint of a run"):
        model_of_run(other)
