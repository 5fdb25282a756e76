"""``deflow pairs``."""

from functools import partial
from typing import Annotated, Any

import typer

from flowkit_deflow.app.image_task import ImageTask, report_problems, require_sensible, usable_device
from flowkit_deflow.app.jobs import Naming, Shard
from flowkit_deflow.app.options import (
    BitDepth,
    Device,
    Force,
    Format,
    KeepSuffix,
    ModelFolder,
    Overwrite,
    Quality,
    Samples,
    Seed,
    ShardOption,
    Source,
    Strict,
    TargetFolder,
    TileSide,
    Workers,
)
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_writing import Encoding

__all__ = ["pairs"]


def pairs(
    model: ModelFolder,
    source: Source,
    target: TargetFolder,
    scale: Annotated[int, typer.Option(min=1, help="Of the super-resolution; 1 for restoration.")] = 4,
    samples: Samples = None,
    temperature: Annotated[
        str, typer.Option(metavar="T|LOW:HIGH", help="Strength, or bounds to draw each image's between.")
    ] = "0.8:1.2",
    seed: Seed = 0,
    format_: Format = "png",
    quality: Quality = 95,
    bit_depth: BitDepth = 8,
    keep_suffix: KeepSuffix = False,
    sub_images: Annotated[
        str | None,
        typer.Option(
            metavar="SIZE[:STEP[:REST]]",
            help="Cut into squares of SIZE pixels of HR, one each STEP (half of SIZE), and one more at the end if more "
            "than REST pixels (0) are left.",
        ),
    ] = None,
    lmdb: Annotated[
        bool, typer.Option("--lmdb", help="Write HR.lmdb, LR.lmdb and LQ.lmdb too, as BasicSR reads them.")
    ] = False,
    shard: ShardOption = None,
    tile: TileSide = 512,
    workers: Workers = 2,
    device: Device = "auto",
    overwrite: Overwrite = False,
    strict: Strict = False,
    force: Force = False,
) -> None:
    """Make pairs for super-resolution: photographs (HR), downsampled (LR), and degraded (LQ)."""
    from flowkit_deflow.app.degrading import load_onto
    from flowkit_deflow.app.lmdb_folder import require_lmdb, write_lmdb
    from flowkit_deflow.app.pairs import DEGRADED, HIGH, LMDB, LOW, arranged, paired, temperature_of, write_options
    from flowkit_deflow.app.sub_images import SubImages
    from flowkit_deflow.model_folder import model_folder_of

    low, high = _bounds(temperature, force)
    if target.is_file():
        raise UserError(f"{target}: is a file; name a folder to write to")
    if lmdb:
        require_lmdb()
    if lmdb and shard is not None:
        raise UserError("--lmdb and --shard: one share holds a part of the pairs; when all are made, give --lmdb alone")
    cut = None if sub_images is None else SubImages.parse(sub_images)
    if cut is not None:
        cut.require_scale(scale)
    task = ImageTask(
        "pairs",
        source,
        target / HIGH,
        Naming.of(format_, samples, keep_suffix=keep_suffix),
        Encoding(quality, bit_depth),
        seed=seed,
        workers=workers,
        overwrite=overwrite,
        strict=strict,
        shard=Shard.asked(shard),
        results=target,
        uniform=True,
        record=target,
        arrange=partial(arranged, out=target, scale=scale, sub_images=cut),
    )
    place = usable_device(device)
    work = paired(load_onto(model, place), scale, temperature_of(low, high), samples or 1, tile, place, cut)
    settings: dict[str, Any] = {"scale": scale, "temperature": [low, high], "tile": tile}
    if cut is not None:
        settings["sub-images"] = [cut.size, cut.step, cut.threshold]
    done = task.run(work, model_folder_of(model), settings)
    if lmdb:
        written = [write_lmdb(target / kind, target / f"{kind}{LMDB}") for kind in (HIGH, LOW, DEGRADED)]
        typer.echo(f"The same in {', '.join(map(str, written))}")
    for path in write_options(target, scale, lmdb):
        typer.echo(f"\n{path}:\n{path.read_text(encoding='utf-8')}", nl=False)
    report_problems(done.problems, done.others)


def _bounds(text: str, force: bool) -> tuple[float, float]:
    low, _, high = text.partition(":")
    try:
        bounds = float(low), float(high or low)
    except ValueError:
        raise UserError(f"--temperature {text!r}: expected a number, or two like 0.8:1.2") from None
    for bound in bounds:
        require_sensible(bound, force)
    if bounds[0] > bounds[1]:
        raise UserError(f"--temperature {text!r}: the first bound is above the second")
    return bounds
