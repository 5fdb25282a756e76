"""Metrics of whole sets of images, with the uncertainty over images."""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.metrics.metric import Measure, Metric
from flowkit_deflow.evaluation.metrics.metric_files import MetricFiles
from flowkit_deflow.evaluation.partners import Partnered, with_references, without_partners
from flowkit_deflow.images.image_files import ImageError, read_image

__all__ = ["Scores", "SetScores", "mean_interval", "score_images"]

Interval = tuple[float, float]

LEVEL = 0.95
DRAWS = 2000
SEED = 0
# The spread of four images says next to nothing of the spread of all.
FEWEST_IMAGES = 5


@dataclass(frozen=True)
class Scores:
    """What a metric says of a set of images.

    Attributes:
        metric: the metric.
        border: pixels that were cut off on each side.
        values: its number for each image that it could measure, by the image's file; infinite for one that is
            identical to its reference, where the metric has no number for that.
        scenes: its mean over the samples of each scene, without those that are identical to the reference.
    """

    metric: Metric
    border: int
    values: Mapping[Path, float]
    scenes: Mapping[str, float]

    @property
    def name(self) -> str:
        """The metric's name with its variant."""
        return self.metric.full_name(self.border)

    @property
    def identical(self) -> int:
        """How many images have no number, since they are identical to their references."""
        return sum(math.isinf(value) for value in self.values.values())

    @property
    def mean(self) -> float:
        """The mean over the scenes; infinite if all images are identical to their references."""
        return float(np.mean(list(self.scenes.values()))) if self.scenes else math.inf

    @property
    def interval(self) -> Interval | None:
        """The 95 % interval of the mean; see :func:`mean_interval`."""
        return mean_interval(list(self.scenes.values()))


@dataclass(frozen=True)
class SetScores:
    """What metrics say of a set of images.

    Attributes:
        scores: one entry for each metric that could measure an image.
        problems: a message for each image that could not be read or measured.
    """

    scores: Sequence[Scores]
    problems: Sequence[str]


def mean_interval(values: Sequence[float]) -> Interval | None:
    """The percentile bootstrap's 95 % interval of a mean: values are drawn with replacement 2,000 times.

    Args:
        values: one for each scene.

    Returns:
        The interval's ends; ``None`` for fewer than five values, or if one is not finite.

    References:
        B. Efron, R. J. Tibshirani, "An Introduction to the Bootstrap", 1993, sec. 13.3.

    Examples:
        >>> mean_interval([1.0, 1.0, 1.0, 1.0, 1.0]), mean_interval([1.0, 2.0])
        ((1.0, 1.0), None)
    """
    numbers = np.asarray(values)
    if len(numbers) < FEWEST_IMAGES or not np.isfinite(numbers).all():
        return None
    drawn = np.random.default_rng(SEED).choice(numbers, (DRAWS, len(numbers))).mean(1)
    low, high = np.quantile(drawn, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


def score_images(
    images: Path | Sequence[Path],
    references: Path | Sequence[Path] | None,
    metrics: Iterable[Metric],
    files: MetricFiles,
    *,
    border: int = 0,
    device: torch.device | None = None,
    strict: bool = False,
    progress: Callable[[], object] = lambda: None,
) -> SetScores:
    """Judge images, one after the other.

    Args:
        images: a folder or files.
        references: a folder or files of the same names; ``None`` where no metric needs them.
        metrics: the metrics.
        files: where published weights and models are read from.
        border: pixels to cut off on each side, for the metrics with a reference.
        device: where to compute; ``None`` for the CPU.
        strict: stop at the first image that cannot be read or measured.
        progress: called after each image.

    Returns:
        The scores.

    Raises:
        UserError: an image has no reference or one of another size, a published file is missing, no image could be
            measured, or one could not be and ``strict`` is on.
    """
    measures = [(metric, _on(device, metric.load(files))) for metric in metrics]
    pairs = without_partners(images, "judged") if references is None else with_references(images, references)
    values: dict[str, dict[Path, float]] = defaultdict(dict)
    problems: list[str] = []

    def leave_out(problem: str) -> None:
        if strict:
            raise UserError(problem)
        problems.append(problem)

    for pair in pairs:
        try:
            image, reference = _read(pair, device)
        except ImageError as error:
            leave_out(str(error))
        else:
            lacking = []
            for metric, measure in measures:
                number = _measured(metric, measure, image, reference, border)
                if number is None:
                    lacking.append(f"{metric.name} cannot measure it, {_reason(metric, image, border)}")
                else:
                    values[metric.key][pair.path] = number
            if lacking:
                leave_out(f"{pair.path}: {'; '.join(lacking)}")
        progress()
    if not values:
        raise UserError(f"no image could be measured, {len(pairs)} tried; the first: {problems[0]}")
    scenes = {pair.path: pair.scene for pair in pairs}
    scores = [
        Scores(
            metric, border if metric.needs_reference else 0, values[metric.key], _by_scene(values[metric.key], scenes)
        )
        for metric, _ in measures
        if values[metric.key]
    ]
    return SetScores(scores, problems)


def _on(device: torch.device | None, measure: Measure) -> Measure:
    return measure.to(device) if isinstance(measure, nn.Module) else measure


def _read(pair: Partnered, device: torch.device | None) -> tuple[Tensor, Tensor]:
    """An image and its reference, itself if it has none, as batches of one."""
    image = read_image(pair.path)[None].to(device)
    if pair.clean is None:
        return image, image
    reference = read_image(pair.clean)[None].to(device)
    if image.shape != reference.shape:
        (height, width), (other_height, other_width) = image.shape[-2:], reference.shape[-2:]
        raise UserError(
            f"{pair.path} has {width} x {height} pixels, its reference {pair.clean} {other_width} x {other_height}; "
            "give references of the same size"
        )
    return image, reference


def _reason(metric: Metric, image: Tensor, border: int) -> str:
    """Why there is no number."""
    height, width = image.shape[-2:]
    cut = border if metric.needs_reference else 0
    if metric.fits(height - 2 * cut, width - 2 * cut):
        return "it has no detail"
    less = f", of which a border of {cut} is cut off" if cut else ""
    return f"{width} x {height} pixels{less}, where {metric.smallest_size} are needed"


@torch.no_grad()
def _measured(metric: Metric, measure: Measure, image: Tensor, reference: Tensor, border: int) -> float | None:
    """The metric's number; ``None`` if the image is too small, or has nothing to measure."""
    if metric.needs_reference and border:
        image, reference = (part[..., border:-border, border:-border] for part in (image, reference))
    height, width = image.shape[-2:]
    if not metric.fits(height, width):
        return None
    number = float(measure(image, reference))
    return None if np.isnan(number) else number


def _by_scene(values: Mapping[Path, float], scenes: Mapping[Path, str]) -> dict[str, float]:
    samples: dict[str, list[float]] = defaultdict(list)
    for path, value in values.items():
        if math.isfinite(value):
            samples[scenes[path]].append(value)
    return {scene: float(np.mean(numbers)) for scene, numbers in samples.items()}
