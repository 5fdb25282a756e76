"""``deflow sample``."""

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
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_writing import Encoding

if TYPE_CHECKING:
    from torch import Tensor

    from flowkit_deflow.app.rendering import Rendering
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
    """Draw images of a domain that share nothing with the given ones but their downsampled copy."""
    from flowkit_deflow.app.rendering import Rendering
    from flowkit_deflow.method.latent_edits import Sample
    from flowkit_deflow.method.latents import Domain
    from flowkit_deflow.method.model import DeFlow
    from flowkit_deflow.model_folder import model_folder_of

    names = {member.name.lower(): member for member in Domain}
    if domain not in names:
        raise UserError(f"--domain {domain!r} is unknown; there are: {', '.join(names)}")
    require_sensible(temperature, force)
    task = ImageTask(
        "sample",
        source,
        target,
        Naming.of(format_, samples, (), keep_suffix=keep_suffix, all_pages=pages is Pages.ALL),
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
    edit, count = Sample(network.latents, names[domain], temperature), samples or 1

    def work(images: "Tensor", noise: "SeededNoise") -> "Rendering":
        height, width = images.shape[-2:]
        return Rendering([(height, width)] * count, network.pieces(images, edit, count, noise, tile))

    done = task.run(work, model_folder_of(model), {"domain": domain, "temperature": temperature, "tile": tile})
    report_problems(done.problems, done.others)
