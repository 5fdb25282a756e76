"""``deflow restore``."""

from typing import TYPE_CHECKING, Annotated

import typer

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

__all__ = ["restore"]


def restore(
    model: ModelFolder,
    source: Source,
    target: Target,
    temperature: Temperature = 1.0,
    samples: Samples = None,
    mean: Annotated[bool, typer.Option("--mean", help="Also write the mean of the samples, NAME_mean.")] = False,
    seed: Seed = 0,
    format_: Format = "png",
    tile: TileSide = 512,
    workers: Workers = 2,
    device: Device = "auto",
    overwrite: Overwrite = False,
    strict: Strict = False,
) -> None:
    """Make clean versions of degraded images; temperature 0 decodes the posterior's mean."""
    import torch

    from flowkit_deflow.method.model import DeFlow

    place = usable_device(device)
    network = DeFlow.from_pretrained(model).to(place)

    def function(images: "Tensor", noise: "SeededNoise") -> "Tensor":
        versions = network.restore(images, temperature, samples or 1, noise=noise, tile=tile)
        return torch.cat([versions, versions.mean(0, keepdim=True)]) if mean else versions

    task = ImageTask(source, target, format_, samples, seed, workers, overwrite, strict)
    task.run(function, "images", place, endings=["_mean"] if mean else [])
