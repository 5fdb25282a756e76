"""Data-loader processes: what they hand over, and what they keep to themselves."""

from collections.abc import Callable
from multiprocessing.resource_sharer import (
    DupFd,
    _resource_sharer,  # type: ignore[attr-defined]
)
from typing import Any

import pytest
import torch

from flowkit_deflow.errors import UserError
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.data import UnpairedCrops
from flowkit_deflow.training.loader import load


@pytest.fixture
def crops(tiny: Callable[..., Run]) -> UnpairedCrops:
    run = tiny()
    return UnpairedCrops(run.data, run.architecture, run.training.batch, run.training.seed)


@pytest.mark.parametrize("workers", [0, 2])
def test_batches_are_those_of_the_steps(crops: UnpairedCrops, workers: int) -> None:
    loaded = list(load(crops, 3, 6, workers))
    assert len(loaded) == 3
    for step, batch in zip(range(3, 6), loaded, strict=True):
        assert not isinstance(batch, UserError)
        assert torch.equal(batch["images"], crops[step]["images"])


class Unusable(UnpairedCrops):
    def __getitem__(self, step: int) -> Any:
        raise UserError(f"step {step}: no image left")


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_is_handed_over(tiny: Callable[..., Run], workers: int) -> None:
    run = tiny()
    crops = Unusable(run.data, run.architecture, run.training.batch, run.training.seed)
    (error,) = load(crops, 4, 5, workers)
    assert isinstance(error, UserError)
    assert str(error) == "step 4: no image left"


def test_a_main_process_stopped_while_it_takes_a_batch_is_no_traceback(
    crops: UnpairedCrops, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def stopped(duplicate: Any) -> int:
        # The batch's memory has been asked for and is not waited for.
        _resource_sharer.get_connection(duplicate._id).close()
        raise KeyboardInterrupt

    monkeypatch.setattr(DupFd, "detach", stopped)
    batches = iter(load(crops, 0, 2, 1))
    with pytest.raises(KeyboardInterrupt):
        next(batches)
    del batches
    assert capfd.readouterr().err == ""
