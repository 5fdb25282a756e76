"""Judges a restoration network by images that it is not trained on, and keeps the best."""

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytorch_lightning as pl
import torch
from pytorch_lightning.callbacks import Callback
from torch import Tensor, nn

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.metrics.metric import Better, Metric
from flowkit_deflow.evaluation.metrics.metric_files import MetricFiles
from flowkit_deflow.evaluation.metrics.registry import named_metrics
from flowkit_deflow.evaluation.partners import Partnered, with_references, without_partners
from flowkit_deflow.images.image_files import ImageError, image_size, read_image, to_uint8
from flowkit_deflow.restoration.restorer import Restorer
from flowkit_deflow.restoration.training.task import RestorerTask
from flowkit_deflow.settings.restoration import RestorerRun
from flowkit_deflow.training.adversarial.alternating import Alternating
from flowkit_deflow.training.progress import Progress

__all__ = ["Validation", "require_partners", "validation"]

TILE = 256


class Validation(Callback):
    """Restores some images every so many steps, measures them, and writes the network to a folder if it is the best.

    Args:
        images: degraded images, with their clean partners where the metric needs them.
        metric: the metric.
        measure: its function.
        every: steps between judgements; the last step is judged in any case.
        best: model folder of the best.
        problems: messages of images that were left out.
    """

    def __init__(
        self,
        images: list[Partnered],
        metric: Metric,
        measure: Callable[[Tensor, Tensor], Tensor],
        every: int,
        best: Path,
        problems: Sequence[str] = (),
    ) -> None:
        self.images = images
        self.metric = metric
        self.measure = measure
        self.every = every
        self.best = best
        self.problems = problems
        self.best_value: float | None = None
        self.best_step: int | None = None

    @property
    def chosen(self) -> str | None:
        """Which step is the best, and why; ``None`` if none could be judged."""
        if self.best_value is None:
            return None
        # Checkpoints of earlier versions do not say which.
        step = "an earlier step" if self.best_step is None else f"step {self.best_step}"
        return f"{step}: it is the best by {self._told(self.best_value)}"

    def state_dict(self) -> dict[str, Any]:
        """The best so far goes with the weights."""
        return {"best_value": self.best_value, "best_step": self.best_step}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """The best so far comes back with the weights."""
        self.best_value, self.best_step = state_dict["best_value"], state_dict.get("best_step")

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any, batch_idx: int
    ) -> None:
        """Judge, where it is time."""
        step = trainer.global_step
        if step % self.every and step != trainer.max_steps:
            return
        assert isinstance(pl_module, Alternating)
        assert isinstance(pl_module.task, RestorerTask)
        restorer = pl_module.task.restorer
        value = self._mean(restorer, pl_module)
        pl_module.log(self.metric.key, value)
        told = f"Step {step} is judged: {self._told(value)}"
        if self._improves(value):
            self.best_value, self.best_step = value, step
            restorer.save_pretrained(self.best)
            told += ", the best so far"
        for callback in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(callback, Progress):
                callback.say(told)

    def _told(self, value: float) -> str:
        unit = f" {self.metric.unit}" if self.metric.unit else ""
        return f"{self.metric.key}, {value:.4g}{unit}"

    def _improves(self, value: float) -> bool:
        if math.isnan(value):
            return False
        if self.best_value is None:
            return True
        return value > self.best_value if self.metric.better is Better.HIGHER else value < self.best_value

    @torch.no_grad()
    def _mean(self, restorer: Restorer, module: Alternating) -> float:
        """The mean over the images that have a number; NaN if none has."""
        device = module.device
        if isinstance(self.measure, nn.Module):
            self.measure.to(device)
        restorer.eval()
        values = []
        for pair in self.images:
            restored = restorer.restore(read_image(pair.path)[None].to(device), TILE)
            # As the image file will have it.
            restored = to_uint8(restored).float() / 255
            reference = restored if pair.clean is None else read_image(pair.clean)[None].to(device)
            value = float(self.measure(restored, reference))
            if math.isnan(value):
                module.leave_out(f"{pair.path}: restored, it has no detail that {self.metric.name} could judge")
            else:
                values.append(value)
        restorer.train()
        return sum(values) / len(values) if values else math.nan


def validation(run: RestorerRun, best: Path) -> Validation | None:
    """The validation that the settings ask for; ``None`` without a folder for it.

    Every image is read once: one that cannot be is found out before the training.

    Raises:
        UserError: the metric is unknown or lacks its files or clean partners, an image has no partner, has one of
            another size than when it is restored, or none, with ``data.strict`` any, cannot be read or is too small for
            the metric.
    """
    data, training = run.data, run.training
    # An unknown one is told of without images to judge, too.
    (metric,) = named_metrics([training.judge])
    if data.valid_degraded is None:
        return None
    if metric.needs_reference and data.valid_clean is None:
        raise UserError(
            f"setting 'training.judge' is {training.judge!r}, which compares with clean images; name their folder with "
            "--valid-clean, or set it to 'niqe'"
        )
    folder = Path(data.valid_degraded)
    if data.valid_clean is None:
        images = without_partners(folder, "validation")
    else:
        images = with_references(folder, Path(data.valid_clean))
    images, problems = _usable(images, metric, run.architecture.scale, data.strict)
    require_partners(images, run.architecture.scale)
    return Validation(images, metric, metric.load(MetricFiles.usual()), training.validate_every, best, problems)


def _usable(images: list[Partnered], metric: Metric, scale: int, strict: bool) -> tuple[list[Partnered], list[str]]:
    """The images that can be read and are large enough to be judged, and a message for each that is not."""
    usable, problems = [], []
    for pair in images:
        try:
            height, width = (scale * side for side in read_image(pair.path).shape[-2:])
            if pair.clean is not None:
                read_image(pair.clean)
            if not metric.fits(height, width):
                raise UserError(
                    f"{pair.path}: restored, its {width} x {height} pixels are too few for {metric.name}, which needs "
                    f"{metric.smallest_size}; remove it, or set training.judge to another metric"
                )
        except UserError as error:
            if strict:
                raise
            problems.append(str(error))
        else:
            usable.append(pair)
    if not usable:
        raise UserError(f"of {len(images)} validation images none can be judged; the last problem was: {problems[-1]}")
    return usable, problems


def require_partners(images: list[Partnered], scale: int) -> None:
    """Check by the files' headers that degraded images will be as large as their clean partners when restored.

    Files that cannot be read are passed over: reading them will say what is wrong.

    Args:
        images: degraded images with their clean partners.
        scale: of the restoration.

    Raises:
        UserError: one will not.
    """
    for pair in images:
        try:
            clean_height, clean_width = image_size(pair.clean or pair.path)
            height, width = (scale * side for side in image_size(pair.path))
        except ImageError:
            continue
        if pair.clean is not None and (clean_height, clean_width) != (height, width):
            raise UserError(
                f"{pair.clean} has {clean_width} x {clean_height} pixels, and {pair.path} will have {width} x {height} "
                f"when it is restored at scale {scale}; give partners of that size"
            )
