"""``deflow restore``."""

from typing import TYPE_CHECKING, Annotated

import typer

from flowkit_deflow.app.image_task import ImageTask, report_problems, require_sensible, usable_device
from flowkit_deflow.app.jobs import Naming, Shard
from flowkit_deflow.app.options import (
    Alpha,
    AlphaOption,
    BitDepth,
    Device,
    Exif,
    Force,
    Format,
    KeepSuffix,
    ModelFolder,
    Overwrite,
    Pages,
    PagesOption,
    Quality,
    Samples,
    Seed,
    ShardOption,
    Source,
    Strict,
    Target,
    Temperature,
    TileSide,
    Workers,
)
from flowkit_deflow.images.image_writing import Encoding

if TYPE_CHECKING:
    from torch import Tensor

    from flowkit_deflow.app.rendering import Rendering
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
    quality: Quality = 95,
    bit_depth: BitDepth = 8,
    alpha: AlphaOption = Alpha.WHITE,
    exif: Exif = False,
    pages: PagesOption = Pages.FIRST,
    keep_suffix: KeepSuffix = False,
    shard: ShardOption = None,
    tile: TileSide = 512,
    workers: Workers = 2,
    device: Device = "auto",
    overwrite: Overwrite = False,
    strict: Strict = False,
    force: Force = False,
) -> None:
    """Make clean versions of degraded images; temperature 0 decodes the posterior's mean."""
    from flowkit_deflow.app.rendering import Rendering
    from flowkit_deflow.app.renderings import with_mean
    from flowkit_deflow.method.latent_edits import Restore
    from flowkit_deflow.method.model import DeFlow
    from flowkit_deflow.model_folder import model_folder_of

    require_sensible(temperature, force)
    task = ImageTask(
        "restore",
        source,
        target,
        Naming.of(format_, samples, ("_mean",) if mean else (), keep_suffix=keep_suffix, all_pages=pages is Pages.ALL),
        Encoding(quality, bit_depth),
        keep_alpha=alpha is Alpha.KEEP,
        keep_exif=exif,
        seed=seed,
        workers=workers,
        overwrite=overwrite,
        strict=strict,
        shard=Shard.asked(shard),
    )
    network = DeFlow.from_pretrained(model).to(usable_device(device))
    edit, count = Restore(network.latents, temperature), samples or 1

    def work(images: "Tensor", noise: "SeededNoise") -> "Rendering":
        pieces = network.pieces(images, edit, count, noise, tile)
        height, width = images.shape[-2:]
        return Rendering([(height, width)] * (count + mean), with_mean(pieces, count) if mean else pieces)

    # The mean depends on how many samples there are; a sample does not.
    settings = {"temperature": temperature, "tile": tile, "mean of": count if mean else None}
    done = task.run(work, model_folder_of(model), settings)
    report_problems(done.problems, done.others)
