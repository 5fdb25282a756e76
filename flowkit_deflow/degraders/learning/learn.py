"""Learning a degrader, or going on with a run that was stopped."""

from pathlib import Path
from typing import Any

from flowkit_deflow.degraders.learning.learner import SETTINGS, Learned, Learner
from flowkit_deflow.training.run_settings import keep_settings, require_resumable

__all__ = ["learn_by"]


def learn_by(learner: Learner, run: Any, out: Path, *, progress: bool = True) -> Learned:
    """Learn a degrader, or go on with a run that was stopped.

    ``out`` holds ``degrader.yaml`` (the settings) and in the end ``model/``, which
    :func:`flowkit_deflow.load_degrader` reads; trained kinds also have ``checkpoints/last.ckpt`` and ``log/``.

    Args:
        learner: the kind.
        run: its settings.
        out: folder of the run.
        progress: show a progress bar.

    Returns:
        The degrader, and a message for each image that could not be used.

    Raises:
        UserError: a folder or setting does not fit.
    """
    require_resumable(run, out / SETTINGS)
    learned = learner.learn(run, out, progress)
    keep_settings(run, out / SETTINGS)
    learned.degrader.save_pretrained(out / "model")
    return learned
