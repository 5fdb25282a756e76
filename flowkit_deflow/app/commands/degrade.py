"""``deflow degrade``."""

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
    tile: TileSide = 512,
    workers: Workers = 2,
    device: Device = "auto",
    overwrite: Overwrite = False,
    strict: Strict = False,
    force: Force = False,
) -> None:
    """Make degraded versions of clean images."""
    from torch import nn

    from flowkit_deflow.app.renderings import degraded
    from flowkit_deflow.degraders.registry import load_degrader
    from flowkit_deflow.model_folder import model_folder_of

    require_sensible(temperature, force)
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
        shard=None if shard is None else Shard.parse(shard),
    )
    place = usable_device(device)
    degrader = load_degrader(model)
    if isinstance(degrader, nn.Module):
        degrader.to(place)
    work = degraded(degrader, lambda noise: temperature, samples or 1, tile, place)
    done = task.run(work, model_folder_of(model), {"temperature": temperature, "tile": tile})
    report_problems(done.problems, done.others)
