"""``deflow restorer``: networks that restore images, trained on what degrades them."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowkit_deflow.app.image_task import ImageTask, usable_device
from flowkit_deflow.app.jobs import Naming, Shard, plan
from flowkit_deflow.app.left_out import other_files, report_problems
from flowkit_deflow.app.options import (
    BitDepth,
    Device,
    Exif,
    Format,
    KeepSuffix,
    Overwrite,
    Pages,
    PagesOption,
    Quality,
    ShardOption,
    Source,
    Strict,
    Target,
    TileSide,
    Workers,
)
from flowkit_deflow.errors import UserError, listed
from flowkit_deflow.images.image_writing import Encoding
from flowkit_deflow.model_folder import model_folder_of
from flowkit_deflow.settings.restoration_presets import RESTORER_PRESETS

if TYPE_CHECKING:
    from torch import Tensor

    from flowkit_deflow.app.jobs import Plan
    from flowkit_deflow.app.rendering import Rendering
    from flowkit_deflow.images.noise import SeededNoise
    from flowkit_deflow.restoration.restorer import Restorer

__all__ = ["restorer"]

restorer = typer.Typer(
    help="Train networks that restore images, apply them, and judge them.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

Trained = Annotated[
    Path,
    typer.Argument(
        metavar="RUN",
        help="Run, model folder, or weights of an ESRGAN, RealSR or Real-ESRGAN network; of others with spandrel.",
    ),
]


@restorer.command()
def train(
    out: Annotated[Path, typer.Option(metavar="RUN", help="Folder of the run; given alone, the run goes on.")],
    clean: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of clean images, full-size.")] = None,
    degraded: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of degraded images: unrelated ones, or partners with --pairs."),
    ] = None,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Images of the same name in both folders show the same; learn from pairs.")
    ] = False,
    degrader: Annotated[
        str | None,
        typer.Option(
            metavar="MODEL",
            help="Model folder of a degrader, or the kind of one to learn from both folders. [default: the run's, "
            "deflow for a new one]",
        ),
    ] = None,
    scale: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Size of the restored over the degraded image; 1 for noise alone. "
            "[default: the run's, 4 for a new one]",
        ),
    ] = None,
    valid_degraded: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Degraded images to judge the training by.")
    ] = None,
    valid_clean: Annotated[Path | None, typer.Option(metavar="DIR", help="Their clean partners.")] = None,
    preset: Annotated[str | None, typer.Option(help=f"{listed(RESTORER_PRESETS, 'or')}. [default: small]")] = None,
    degrader_preset: Annotated[
        str | None, typer.Option(help="Its preset in deflow train, where a degrader is learned. [default: small]")
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="RUN.yaml", help="Settings; instead of a preset.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change any setting, like data.crop=64; repeatable."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Short for --set training.seed=...")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Short for --set training.steps=...; more of them lengthen a run.")
    ] = None,
    strict: Strict = False,
) -> None:
    """Train a restoration network from clean and degraded photographs, a degrader, or pairs."""
    from flowkit_deflow.app.learned_degrader import KINDS, require_kind
    from flowkit_deflow.app.restorer_run import require_machine, settings_to_start_from, with_own_degrader
    from flowkit_deflow.restoration.training.trainer import train_restorer
    from flowkit_deflow.settings.text import assignments, override

    if config is not None and preset is not None:
        raise UserError(f"--config {config} and --preset {preset} were both given; choose one of them")
    learned = degrader is None or (degrader in KINDS and not Path(degrader).is_dir())
    if degrader is not None and not learned and not Path(degrader).exists():
        require_kind(degrader)
    if degraded is not None and not learned:
        raise UserError(f"--degrader {degrader} and --degraded {degraded} were both given; choose one of them")
    of_degrader = {"--degrader": degrader, "--degrader-preset": degrader_preset}
    for option, value in of_degrader.items():
        if pairs and value is not None:
            raise UserError(f"--pairs and {option} {value} were both given; pairs need no degrader: choose one of them")
    if degrader_preset is not None and not learned:
        raise UserError(f"--degrader-preset {degrader_preset}: {degrader} is a degrader that is there; leave it out")
    given = {
        "architecture.scale": scale,
        "data.clean": clean,
        "data.degraded": degraded if pairs else None,
        "data.degrader": None if learned else degrader,
        "data.valid_degraded": valid_degraded,
        "data.valid_clean": valid_clean,
        "training.seed": seed,
        "training.steps": steps,
        "data.strict": strict or None,
    }
    run = settings_to_start_from(out, preset, config, begins=clean is not None)
    run = override(run, [*assignments(given), *(set_ or [])])
    require_machine(run, out)
    problems: list[str] = []
    if learned:
        run, problems = with_own_degrader(run, degrader, None if pairs else degraded, out, degrader_preset)
    problems += [problem for problem in train_restorer(run, out)[1] if problem not in problems]
    typer.echo(f"The network is in {out / 'model'}; restore images with: deflow restorer apply {out} PHOTOS OUT")
    report_problems(problems, other_files(run.data.clean, run.data.degraded, run.data.valid_degraded, degraded))


@restorer.command()
def apply(
    run: Trained,
    source: Source,
    target: Target,
    format_: Format = "png",
    quality: Quality = 95,
    bit_depth: BitDepth = 8,
    exif: Exif = False,
    pages: PagesOption = Pages.FIRST,
    keep_suffix: KeepSuffix = False,
    shard: ShardOption = None,
    tile: TileSide = 256,
    workers: Workers = 2,
    device: Device = "auto",
    overwrite: Overwrite = False,
    strict: Strict = False,
) -> None:
    """Restore images."""
    from flowkit_deflow.restoration.published import load_restorer

    task = ImageTask(
        "restorer apply",
        source,
        target,
        Naming.of(format_, keep_suffix=keep_suffix, all_pages=pages is Pages.ALL),
        Encoding(quality, bit_depth),
        keep_exif=exif,
        workers=workers,
        overwrite=overwrite,
        strict=strict,
        shard=Shard.asked(shard),
    )
    done = _restored(run, load_restorer(run), task, tile, device)
    report_problems(done.problems, done.others)


@restorer.command()
def evaluate(
    run: Trained,
    degraded: Annotated[Path, typer.Argument(metavar="DEGRADED", help="Folder of degraded images.")],
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for the restored images and scores.json.")] = Path(
        "restored"
    ),
    clean: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Their clean partners; without them, they are judged blindly.")
    ] = None,
    metric: Annotated[
        list[str] | None, typer.Option(help="psnr, ssim, niqe, ...; repeatable. [default: all that can be computed]")
    ] = None,
    border: Annotated[int, typer.Option(min=0, help="Pixels to cut off on each side, against a reference.")] = 0,
    tile: TileSide = 256,
    device: Device = "auto",
    strict: Strict = False,
) -> None:
    """Restore images and judge what became of them, as deflow metrics does."""
    from flowkit_deflow.app.commands.metrics import judged, require_files
    from flowkit_deflow.evaluation.partners import with_references
    from flowkit_deflow.restoration.published import load_restorer
    from flowkit_deflow.restoration.training.validation import require_partners

    # What does not fit, or is not there, is told before the images are restored.
    require_files(metric or [], clean)
    network = load_restorer(run)
    if clean is not None:
        require_partners(with_references(degraded, clean), network.scale)
    images = out / "images"
    _clear(images, degraded)
    task = ImageTask("restorer apply", degraded, images, Naming.of("png"), overwrite=True, strict=strict)
    done = _restored(run, network, task, tile, device)
    problems = judged(images, clean, metric, border, None, out / "scores.json", device, strict)
    report_problems([*done.problems, *problems], done.others)


def _restored(run: Path, network: "Restorer", task: ImageTask, tile: int, device: str) -> "Plan":
    """Work through the images with the network of a run, of a model folder or of a file."""
    from flowkit_deflow.app.rendering import Rendering

    network.to(usable_device(device))

    def work(images: "Tensor", _: "SeededNoise") -> "Rendering":
        height, width = (network.scale * side for side in images.shape[-2:])
        return Rendering([(height, width)], network.pieces(images, tile))

    if run.is_file():
        with run.open("rb") as file:
            return task.run(work, settings={"tile": tile, "weights": hashlib.file_digest(file, "sha256").hexdigest()})
    return task.run(work, model_folder_of(run), {"tile": tile})


def _clear(images: Path, degraded: Path) -> None:
    """Remove what an earlier evaluation restored of these images: of one that fails now, it would be judged as well.

    Raises:
        UserError: the folder holds other images.
    """
    from flowkit_deflow.images.image_listing import list_images

    if not images.is_dir():
        return
    made = {target for job in plan(degraded, images, Naming.of("png")).jobs for target in job.targets}
    there = list_images(images)
    others = [file for file in there if file not in made]
    if others:
        raise UserError(f"{images}: holds images of other sources, like {others[0].name}; choose another --out")
    for file in there:
        file.unlink()
