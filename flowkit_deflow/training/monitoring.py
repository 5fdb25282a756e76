"""Looks at the held-out images in the course of a training."""

from collections.abc import Mapping
from math import inf
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback

from flowkit_deflow.method.latents import Domain
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.training.checkpoint_io import best_checkpoint, monitored_steps
from flowkit_deflow.training.data import UnpairedCrops
from flowkit_deflow.training.monitors.held_out_crops import Crops, held_out_crops
from flowkit_deflow.training.monitors.history import History
from flowkit_deflow.training.monitors.noise_in_h import measure_noise_in_h
from flowkit_deflow.training.monitors.roughness import ROUGHNESS
from flowkit_deflow.training.monitors.snapshot import Snapshot
from flowkit_deflow.training.monitors.table import MONITORS
from flowkit_deflow.training.selection import Figure, Selection, improves

__all__ = ["Monitoring"]


class Monitoring(Callback):
    """Measures the monitors' scalars every so many steps and at the end, and keeps the best checkpoint by them.

    The scalars go to the log and to ``monitors.csv`` beside it. The first process measures, the others wait for it at
    their next step. What was measured is part of the checkpoints, so that a run that was stopped has it once.

    Args:
        out: folder of the run.
        crops: batches of held-out images.
        every: steps between two looks; 0: only at the end.
        selection: from the scalars to the figure by which ``checkpoints/best.ckpt`` is kept; ``None``: none is kept.

    Attributes:
        history: what was measured so far.
        best: the best figure so far; ``None`` before there is one.
        last: the figure of the last look; ``None`` before there is one.
        looked_at: the step of the last look.
    """

    def __init__(self, out: Path, crops: UnpairedCrops, every: int, selection: Selection | None) -> None:
        self.out = out
        self.crops = crops
        self.every = every
        self.selection = selection
        self.history = History()
        self.best: Figure | None = None
        self.last: Figure | None = None
        self.looked_at = 0
        self._held_out: Mapping[Domain, Crops] | None = None

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Every so many steps."""
        if self.every and trainer.global_step % self.every == 0:
            self._look(trainer, module)

    def on_train_end(self, trainer: pl.Trainer, module: Any) -> None:
        """After the last step, whatever its number."""
        if self.looked_at != trainer.global_step:
            self._look(trainer, module)

    def finish(self, model: DeFlow, crops: UnpairedCrops) -> None:
        """Note what only the finished model shows, whose shift may have been measured after the last step.

        Args:
            model: the finished model.
            crops: the data that it was trained on.
        """
        snapshot = Snapshot(model, held_out_crops(self.crops, model))
        self.history.complete(ROUGHNESS.measure(snapshot))
        self.history.complete(measure_noise_in_h(crops, model.config))
        self.history.write(monitored_steps(self.out))

    def state_dict(self) -> dict[str, Any]:
        """What goes into the checkpoints."""
        figures = {name: None if figure is None else tuple(figure) for name, figure in self._figures().items()}
        return {"rows": self.history.state(), "looked_at": self.looked_at, **figures}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """What comes back from them."""
        self.history = History.from_state(state_dict["rows"])
        self.looked_at = state_dict["looked_at"]
        self.best, self.last = (
            None if state_dict[name] is None else Figure(*state_dict[name]) for name in self._figures()
        )

    def _figures(self) -> dict[str, Figure | None]:
        return {"best": self.best, "last": self.last}

    def _look(self, trainer: pl.Trainer, module: Any) -> None:
        self.looked_at = trainer.global_step
        figure = self._figure(trainer, module) if trainer.is_global_zero else None
        # A checkpoint is written by all processes together: the first one's decision is everyone's.
        figure = self.last = trainer.strategy.broadcast(figure)
        if figure is not None and improves(figure, self.best):
            self.best = figure
            trainer.save_checkpoint(best_checkpoint(self.out), weights_only=False)

    def _figure(self, trainer: pl.Trainer, module: Any) -> Figure | None:
        """Measure, write down, and tell the figure to select by."""
        if self._held_out is None:
            self._held_out = held_out_crops(self.crops, module.judged)
        snapshot = Snapshot(module.judged, self._held_out)
        try:
            scalars = {name: value for monitor in MONITORS for name, value in monitor.measure(snapshot).items()}
        except torch.linalg.LinAlgError:  # type: ignore[attr-defined]
            # A model that has gone astray may have covariances that are none: there is nothing to measure.
            return None if self.selection is None else Figure(inf)
        self.history.add(trainer.global_step, scalars)
        self.history.write(monitored_steps(self.out))
        assert trainer.logger is not None
        logged = {f"held_out/{name}": value for name, value in scalars.items()}
        trainer.logger.log_metrics(logged, trainer.global_step)
        return None if self.selection is None else self.selection(snapshot, scalars)
