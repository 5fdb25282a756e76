"""How Lightning's checkpoints are written and read."""

import os
from pathlib import Path
from typing import Any

from pytorch_lightning.plugins.io import TorchCheckpointIO

from flowkit_deflow.errors import UserError
from flowkit_deflow.files import atomic_path
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.model_folder import load_exactly
from flowkit_deflow.settings.text import read_run
from flowkit_deflow.state_files import pickled, unpickled

__all__ = [
    "AtomicCheckpointIO",
    "best_checkpoint",
    "good_checkpoint",
    "last_checkpoint",
    "model_of_run",
    "monitored_steps",
    "steps_of",
]


class AtomicCheckpointIO(TorchCheckpointIO):
    """Checkpoints that are there whole or not at all, and are never unpickled unchecked."""

    def save_checkpoint(self, checkpoint: dict[str, Any], path: Any, storage_options: Any | None = None) -> None:
        """Write beside, flush to the disk, rename."""
        with atomic_path(Path(path)) as temporary, temporary.open("wb") as file:
            file.write(pickled(checkpoint))
            file.flush()
            os.fsync(file.fileno())

    def load_checkpoint(self, path: Any, map_location: Any = None, weights_only: bool | None = True) -> dict[str, Any]:
        """Read with PyTorch's restricted unpickler."""
        advice = "remove it to start the run anew"
        checkpoint = unpickled(Path(path), advice, advice)
        if not isinstance(checkpoint, dict) or not {"deflow", "state_dict", "loops"} <= checkpoint.keys():
            raise UserError(f"{path}: is no checkpoint of a run of deflow train; {advice}")
        return checkpoint


def model_of_run(checkpoint: Path) -> DeFlow:
    """The model in a run's checkpoint: what a run that was stopped has come to.

    Of a run that averages its weights, it is the averaged model.

    Args:
        checkpoint: a file in the folder ``checkpoints`` of a run.

    Returns:
        The model in evaluation mode, on the CPU.

    Raises:
        UserError: the checkpoint cannot be read, or the run's ``run.yaml`` is missing or does not fit.
    """
    settings = checkpoint.resolve().parents[1] / "run.yaml"
    run = read_run(settings)
    state = AtomicCheckpointIO().load_checkpoint(checkpoint)["state_dict"]
    model = DeFlow(run.architecture)
    prefix = "average.module." if run.training.ema else "model."
    judged = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    load_exactly(model, judged, str(checkpoint))
    return model.eval()


def steps_of(checkpoint: Path) -> int:
    """How many optimiser steps a checkpoint's run had made.

    Raises:
        UserError: the checkpoint cannot be read.
    """
    return int(AtomicCheckpointIO().load_checkpoint(checkpoint)["global_step"])


def best_checkpoint(run: Path) -> Path:
    """Where a run keeps the checkpoint that is best by its held-out images, if it selects by them.

    Examples:
        >>> best_checkpoint(Path("RUN")).as_posix()
        'RUN/checkpoints/best.ckpt'
    """
    return run / "checkpoints" / "best.ckpt"


def last_checkpoint(run: Path) -> Path:
    """Where a run keeps its last checkpoint.

    Examples:
        >>> last_checkpoint(Path("RUN")).as_posix()
        'RUN/checkpoints/last.ckpt'
    """
    return run / "checkpoints" / "last.ckpt"


def good_checkpoint(run: Path) -> Path:
    """Where a run keeps its last good checkpoint while a later one, the last, is doubtful.

    Examples:
        >>> good_checkpoint(Path("RUN")).as_posix()
        'RUN/checkpoints/good.ckpt'
    """
    return run / "checkpoints" / "good.ckpt"


def monitored_steps(run: Path) -> Path:
    """Where a run writes what its held-out images showed.

    Examples:
        >>> monitored_steps(Path("RUN")).as_posix()
        'RUN/monitors.csv'
    """
    return run / "monitors.csv"
