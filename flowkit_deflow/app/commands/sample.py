"""``deflow sample``."""

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
from flowkit_deflow.errors import UserError

if TYPE_CHECKING:
    from torch import Tensor

    from flowkit_deflow.images.noise import SeededNoise

__all__ = ["sample"]


def sample(
    model: ModelFolder,
    source: Source,
    target: Target,
    domain: Annotated[str, typer.Option(help="clean or degraded.")] = "degraded",
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
    """Draw images of a domain that share nothing with the given ones but their downsampled copy."""
    from flowkit_deflow.method.latents import Domain
    from flowkit_deflow.method.model import DeFlow

    names = {member.name.lower(): member for member in Domain}
    if domain not in names:
        raise UserError(f"--domain {domain!r} is unknown; there are: {', '.join(names)}")
    place = usable_device(device)
    network = DeFlow.from_pretrained(model).to(place)

    def function(images: "Tensor", noise: "SeededNoise") -> "Tensor":
        return network.sample(images, names[domain], temperature, samples or 1, noise=noise, tile=tile)

    task = ImageTask(source, target, format_, samples, seed, workers, overwrite, strict)
    task.run(function, "images", place)
