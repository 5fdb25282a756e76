"""Data-loader processes: what they hand over, and what they keep to themselves."""

import multiprocessing
import os
import signal
from collections.abc import Callable
from multiprocessing.resource_sharer import (
    DupFd,
    _resource_sharer,  # type: ignore[attr-defined]
)
from pathlib import Path
from typing import Any

import pytest
import torch
from pytorch_lightning.callbacks import Callback

from flowkit_deflow.errors import UserError
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.data import UnpairedCrops
from flowkit_deflow.training.loader import is_lost_worker, load
from flowkit_deflow.training.trainer import train


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


def test_a_killed_process_is_one_sentence_with_what_to_do(tiny: Callable[..., Run], tmp_path: Path) -> None:
    class Killer(Callback):
        def on_train_batch_end(self, *_: Any) -> None:
            for process in multiprocessing.active_children():
                assert process.pid is not None
                os.kill(process.pid, signal.SIGKILL)

    run = tiny("training.workers=2", "training.steps=100", "data.held_out=0")
    with pytest.raises(UserError) as error:
        train(run, tmp_path, progress=False, callbacks=[Killer()])
    assert str(error.value) == (
        "a data-loader process was killed, most often since memory ran out; go on from the last checkpoint with fewer "
        f"of them: deflow train --out {tmp_path} --set training.workers=1"
    )
    assert error.value.__suppress_context__


def test_processes_stay_when_the_signal_to_end_comes_to_all(crops: UnpairedCrops) -> None:
    batches = iter(load(crops, 0, 6, 2))
    # One of each process: both have begun to leave signals alone.
    first = [next(batches), next(batches)]
    for process in multiprocessing.active_children():
        assert process.pid is not None
        for number in (signal.SIGINT, signal.SIGTERM):
            os.kill(process.pid, number)
    assert len([*first, *batches]) == 6


def test_other_errors_are_not_taken_for_a_killed_process() -> None:
    assert not is_lost_worker(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))
