"""``deflow degrade``."""

from typing import Annotated

import typer

from flowkit_deflow.app.image_task import ImageTask, report_problems, require_sensible
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

__all__ = ["degrade"]


def degrade(
    model: ModelFolder,
    source: Source,
    target: Target,
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
    ray: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS|local", help="Share the images out to a Ray cluster, or start one here."),
    ] = None,
    tile: TileSide = 512,
    workers: Workers = 2,
    device: Device = "auto",
    overwrite: Overwrite = False,
    strict: Strict = False,
    force: Force = False,
) -> None:
    """Make degraded versions of clean images."""
    from flowkit_deflow.app.degrading import Degrading
    from flowkit_deflow.app.ray_data import Cluster, require_ray
    from flowkit_deflow.model_folder import model_folder_of

    require_sensible(temperature, force)
    if ray is not None and shard is not None:
        raise UserError("--ray and --shard were both given; choose one of them")
    if ray is not None:
        require_ray()
    task = ImageTask(
        "degrade",
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
        cluster=None if ray is None else Cluster(ray, gpu=device.startswith("cuda")),
    )
    work = Degrading(model.absolute(), temperature, samples or 1, tile, device)
    settings = {"temperature": temperature, "tile": tile}
    # A cluster's machines read the model themselves: this one may lack their device.
    done = task.run(work.load() if ray is None else work, model_folder_of(model), settings)
    report_problems(done.problems, done.others)
