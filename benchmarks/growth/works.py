"""What is varied, one thing at a time, from the full-size AIM network and one 160 x 160 image."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from benchmarks.deflow.networks import CROP, FACTOR, images, labels, network
from flowkit_deflow import DeFlow, preset
from flowkit_deflow.training.micro_batches import mean_in_parts

__all__ = ["AXES", "TRAINED", "Point", "degrade_work", "memory_work", "train_work"]


@dataclass(frozen=True)
class Point:
    """One setting."""

    levels: int = 3
    steps: int = 16
    side: int = CROP
    samples: int = 1
    batch: int = 1

    def model(self) -> DeFlow:
        """The network, with weights at which every part of it does something."""
        return network(replace(preset("aim").architecture, levels=self.levels, steps=self.steps))


BASE = Point()

AXES: dict[str, tuple[Point, ...]] = {
    "levels": tuple(replace(BASE, levels=levels, side=192) for levels in (2, 3, 4)),
    "steps": tuple(replace(BASE, steps=steps) for steps in (2, 4, 8, 16)),
    "side": tuple(replace(BASE, side=side) for side in (64, 128, 256, 512, 1024)),
    "samples": tuple(replace(BASE, samples=samples) for samples in (1, 2, 4, 8)),
    "batch": tuple(replace(BASE, batch=batch) for batch in (1, 2, 4, 8)),
}
"""Points by what changes along them."""

TRAINED = ("levels", "steps", "batch")
"""Axes along which a training step is timed as well."""


def degrade_work(point: Point) -> Callable[[], object]:
    """Degrade, as a user does."""
    model, image = point.model().eval(), images(point.batch, point.side, point.side)
    return lambda: model.degrade(image, samples=point.samples)


def train_work(point: Point) -> Callable[[], object]:
    """Loss and gradients, four crops at a time."""
    model = point.model().train()
    x, label = images(point.batch, point.side, point.side), labels(point.batch)
    h = torch.rand(point.batch, 3, point.side // FACTOR, point.side // FACTOR)

    def step() -> None:
        model.zero_grad()
        loss, _ = mean_in_parts(
            lambda part: -model.flow.log_prob(x[part], h[part], label=label[part]), point.batch, 4, model
        )
        loss.backward()

    return step


def memory_work(side: str) -> Callable[[], object]:
    """Degrading an image of a side, for a process of its own."""
    return degrade_work(replace(BASE, side=int(side)))
