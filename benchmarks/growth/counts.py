"""The operations of each point, counted."""

from collections.abc import Callable
from dataclasses import replace

import torch

from benchmarks.growth.works import AXES, TRAINED, Point, train_work
from benchmarks.products import count

__all__ = ["operations"]


def operations() -> dict[str, dict[str, float]]:
    """By the timings' groups and names, in units of 1e9."""
    counted = {
        f"degrade: {axis}": {str(getattr(point, axis)): degrade_flops(point) for point in points}
        for axis, points in AXES.items()
    }
    return counted | {
        f"train: {axis}": {str(getattr(point, axis)): train_flops(point) for point in AXES[axis]} for axis in TRAINED
    }


def degrade_flops(point: Point) -> float:
    """Of degrading: counted at a side of 64 and scaled with the area and the batch, as convolutions grow."""
    bijector = point.model().eval().requires_grad_(False).bijector
    x, h = torch.rand(1, 3, 64, 64), torch.rand(1, 3, 8, 8)
    bound = bijector.bind(h)
    z, _ = bound(x)
    once = _flops(lambda: (bijector.bind(h), bound(x)))
    each = _flops(lambda: bound.inverse(z))
    return round((once + point.samples * each) * point.batch * (point.side / 64) ** 2, 3)


def train_flops(point: Point) -> float:
    """Of a loss and its gradients: counted for one crop, and scaled with the batch."""
    return round(_flops(train_work(replace(point, batch=1))) * point.batch, 3)


def _flops(work: Callable[[], object]) -> float:
    _, multiply_adds = count(work)
    return round(2 * multiply_adds / 1e9, 3)
