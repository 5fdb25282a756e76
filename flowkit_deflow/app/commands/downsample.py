"""``deflow downsample``."""

from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from flowkit_deflow.app.image_task import ImageTask
from flowkit_deflow.app.options import Format, Overwrite, Source, Strict, Target, Workers

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["downsample"]


def downsample(
    source: Source,
    target: Target,
    factor: Annotated[list[int], typer.Option(min=2, help="By how much; several write to 4x/, 8x/, ...")],
    format_: Format = "png",
    workers: Workers = 2,
    overwrite: Overwrite = False,
    strict: Strict = False,
) -> None:
    """Downsample images by antialiased bicubic interpolation, to prepare data."""
    for number in factor:
        folder = target / f"{number}x" if len(factor) > 1 else target
        task = ImageTask(source, folder, format_, workers=workers, overwrite=overwrite, strict=strict, results=target)
        task.run(partial(_downsampled, factor=number), f"downsample {number}x")


def _downsampled(images: "Tensor", _: object, factor: int) -> "list[Tensor]":
    from flowkit_deflow.images.resize import bicubic_downsample

    return [bicubic_downsample(images, factor).clamp(0, 1)]
