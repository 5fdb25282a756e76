"""Means over images and seeds, with their intervals."""

from collections.abc import Mapping, Sequence

import numpy as np

from flowkit_deflow.evaluation.metrics.scores import mean_interval

__all__ = ["summary"]

Scores = Mapping[str, Mapping[str, float]]


def summary(seeds: Sequence[Scores]) -> dict[str, dict[str, float | int | None]]:
    """Each metric's mean, and the 95 % interval over images of their means over seeds.

    Args:
        seeds: by metric and image, for each seed.

    Returns:
        By metric: ``mean``, ``low``, ``high``, ``seeds``, how many, and ``between_seeds``, the standard deviation of
        their means (none for one seed).

    Examples:
        >>> summary([{"psnr": {"a": 30.0, "b": 32.0}}, {"psnr": {"a": 31.0, "b": 33.0}}])["psnr"]["mean"]
        31.5
    """
    result: dict[str, dict[str, float | int | None]] = {}
    for metric in seeds[0]:
        numbers = np.array([[scores[metric][image] for image in sorted(scores[metric])] for scores in seeds])
        low, high = mean_interval(numbers.mean(0).tolist()) or (None, None)
        between = float(numbers.mean(1).std(ddof=1)) if len(seeds) > 1 else None
        over_images = {"mean": float(numbers.mean()), "low": low, "high": high}
        result[metric] = {**over_images, "seeds": len(seeds), "between_seeds": between}
    return result
