"""``deflow degrade``."""

from typing import TYPE_CHECKING

from flowkit_deflow.app.image_task import ImageTask, usable_device
from flowkit_deflow.app.options import (
    Device,
    Format,
    ModelFolder,
    Overwrite,
    Samples,
    Seed,
    Source,
    Strict,
    Target,
    Temperature,
    TileSide,
    Workers,
)

if TYPE_CHECKING:
    from torch import Tensor

    from flowkit_deflow.images.noise import SeededNoise

__all__ = ["degrade"]


def degrade(
    model: ModelFolder,
    source: Source,
    target: Target,
    temperature: Temperature = 1.0,
    samples: Samples = None,
    seed: Seed = 0,
    format_: Format = "png",
    tile: TileSide = 512,
    workers: Workers = 2,
    device: Device = "auto",
    overwrite: Overwrite = False,
    strict: Strict = False,
) -> None:
    """Make degraded versions of clean images."""
    from torch import nn

    from flowkit_deflow.degraders.degrader import TiledDegrader
    from flowkit_deflow.degraders.registry import load_degrader

    place = usable_device(device)
    degrader = load_degrader(model)
    if isinstance(degrader, nn.Module):
        degrader.to(place)

    def function(images: "Tensor", noise: "SeededNoise") -> "Tensor":
        if isinstance(degrader, TiledDegrader):
            return degrader.degrade(images, temperature, samples or 1, noise=noise, tile=tile)
        return degrader.degrade(images, temperature, samples or 1, noise.generator("degrade"))

    task = ImageTask(source, target, format_, samples, seed, workers, overwrite, strict)
    task.run(function, "images", place)
