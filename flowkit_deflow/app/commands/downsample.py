"""``deflow downsample``."""

from collections import Counter
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from flowkit_deflow.app.image_task import ImageTask, report_problems
from flowkit_deflow.app.jobs import Naming
from flowkit_deflow.app.options import (
    BitDepth,
    Format,
    KeepSuffix,
    Overwrite,
    Pages,
    PagesOption,
    Quality,
    Source,
    Strict,
    Target,
    Workers,
)
from flowkit_deflow.images.image_writing import Encoding

if TYPE_CHECKING:
    from torch import Tensor

    from flowkit_deflow.app.rendering import Rendering

__all__ = ["downsample"]


def downsample(
    source: Source,
    target: Target,
    factor: Annotated[list[int], typer.Option(min=2, help="By how much; several write to 4x/, 8x/, ...")],
    crop: Annotated[
        bool, typer.Option("--crop", help="Cut images to multiples of the factor first, as pairs for training need it.")
    ] = False,
    format_: Format = "png",
    quality: Quality = 95,
    bit_depth: BitDepth = 8,
    pages: PagesOption = Pages.FIRST,
    keep_suffix: KeepSuffix = False,
    workers: Workers = 2,
    overwrite: Overwrite = False,
    strict: Strict = False,
) -> None:
    """Downsample images by antialiased bicubic interpolation, to prepare data."""
    problems: list[str] = []
    others: Counter[str] = Counter()
    for number in factor:
        folder = target / f"{number}x" if len(factor) > 1 else target
        task = ImageTask(
            "downsample",
            source,
            folder,
            Naming.of(format_, keep_suffix=keep_suffix, all_pages=pages is Pages.ALL),
            Encoding(quality, bit_depth),
            workers=workers,
            overwrite=overwrite,
            strict=strict,
            results=target,
        )
        done = task.run(partial(_downsampled, factor=number, crop=crop), settings={"factor": number, "crop": crop})
        problems += [problem for problem in done.problems if problem not in problems]
        others = done.others
    report_problems(problems, others)


def _downsampled(images: "Tensor", _: object, factor: int, crop: bool) -> "Rendering":
    from flowkit_deflow.app.rendering import Rendering, UnsuitableError
    from flowkit_deflow.app.renderings import in_unit_range, whole
    from flowkit_deflow.images.resize import bicubic_downsample, cropped_to_multiple

    if factor > min(images.shape[-2:]):
        height, width = images.shape[-2:]
        raise UnsuitableError(
            f"its {width} x {height} pixels are fewer than the factor {factor}; choose a lower --factor"
        )
    clean = in_unit_range(cropped_to_multiple(images, factor) if crop else images)
    small = bicubic_downsample(clean, factor).clamp(0, 1)
    height, width = small.shape[-2:]
    return Rendering([(height, width)], iter([whole(0, small)]))
