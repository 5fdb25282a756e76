"""``deflow restorer``: networks that restore images, trained on what degrades them."""

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowkit_deflow.app.image_task import ImageTask, report_problems, usable_device
from flowkit_deflow.app.jobs import Naming, plan
from flowkit_deflow.app.options import Device, Format, Overwrite, Source, Strict, Target, TileSide, Workers
from flowkit_deflow.errors import UserError, listed
from flowkit_deflow.model_folder import model_folder_of
from flowkit_deflow.settings.restoration_presets import RESTORER_PRESETS

if TYPE_CHECKING:
    from torch import Tensor

    from flowkit_deflow.app.jobs import Plan
    from flowkit_deflow.app.rendering import Rendering
    from flowkit_deflow.images.noise import SeededNoise

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
    out: Annotated[Path, typer.Option(metavar="RUN", help="Folder of the run; given again, the run goes on.")],
    clean: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of clean images, full-size.")] = None,
    degraded: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of degraded images: unrelated ones, or partners with --pairs."),
    ] = None,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Images of the same name in both folders show the same; learn from pairs.")
    ] = False,
    degrader: Annotated[
        str,
        typer.Option(
            metavar="MODEL", help="Model folder of a degrader, or the kind of one to learn from both folders."
        ),
    ] = "deflow",
    scale: Annotated[int | None, typer.Option(min=1, help="Size of the restored over the degraded image.")] = None,
    valid_degraded: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Degraded images to judge the training by.")
    ] = None,
    valid_clean: Annotated[Path | None, typer.Option(metavar="DIR", help="Their clean partners.")] = None,
    preset: Annotated[str, typer.Option(help=f"{listed(RESTORER_PRESETS, 'or')}.")] = "small",
    degrader_preset: Annotated[
        str | None, typer.Option(help="Its preset in deflow train, where a degrader is learned. [default: small]")
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="RUN.yaml", help="Settings; instead of a preset.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change any setting, like data.crop=64; repeatable."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Short for --set training.seed=...")] = None,
    steps: Annotated[int | None, typer.Option(help="Short for --set training.steps=...")] = None,
    strict: Strict = False,
) -> None:
    """Train a restoration network from clean and degraded photographs, a degrader, or pairs."""
    from flowkit_deflow.app.learned_degrader import KINDS, learn_for_restorer
    from flowkit_deflow.restoration.training.trainer import train_restorer
    from flowkit_deflow.settings.restoration import RestorerRun
    from flowkit_deflow.settings.restoration_presets import restorer_preset
    from flowkit_deflow.settings.text import assignments, override, read_settings

    run = restorer_preset(preset) if config is None else read_settings(RestorerRun, config)
    learned = degrader in KINDS and not Path(degrader).is_dir()
    if degraded is not None and not learned:
        raise UserError(f"--degrader {degrader} and --degraded {degraded} were both given; choose one of them")
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
    run = override(run, [*assignments(given), *(set_ or [])])
    problems: list[str] = []
    if learned and run.data.degraded is None and run.data.degrader is None:
        problems = learn_for_restorer(run, degrader, degraded, out / "degrader", degrader_preset)
        run = override(run, assignments({"data.degrader": out / "degrader" / "model"}))
    problems += [problem for problem in train_restorer(run, out)[1] if problem not in problems]
    typer.echo(f"The network is in {out / 'model'}; restore images with: deflow restorer apply {out} PHOTOS OUT")
    report_problems(problems)


@restorer.command()
def apply(
    run: Trained,
    source: Source,
    target: Target,
    format_: Format = "png",
    tile: TileSide = 256,
    workers: Workers = 2,
    device: Device = "auto",
    overwrite: Overwrite = False,
    strict: Strict = False,
) -> None:
    """Restore images."""
    done = _restored(run, source, target, format_, tile, workers, device, overwrite, strict)
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
    from flowkit_deflow.app.commands.metrics import judged

    images = out / "images"
    _require_no_others(degraded, images)
    done = _restored(run, degraded, images, "png", tile, 2, device, True, strict)
    problems = judged(images, clean, metric, border, None, out / "scores.json", device, strict)
    report_problems([*done.problems, *problems], done.others)


def _restored(
    run: Path,
    source: Path,
    target: Path,
    format_: str,
    tile: int,
    workers: int,
    device: str,
    overwrite: bool,
    strict: bool,
) -> "Plan":
    from flowkit_deflow.app.rendering import Rendering
    from flowkit_deflow.app.renderings import in_unit_range
    from flowkit_deflow.restoration.published import load_restorer

    place = usable_device(device)
    network = load_restorer(run).to(place)

    def work(images: "Tensor", _: "SeededNoise") -> "Rendering":
        height, width = (network.scale * side for side in images.shape[-2:])
        return Rendering([(height, width)], network.pieces(in_unit_range(images).to(place), tile))

    task = ImageTask(
        "restorer apply", source, target, Naming.of(format_), workers=workers, overwrite=overwrite, strict=strict
    )
    if run.is_file():
        with run.open("rb") as file:
            return task.run(work, settings={"tile": tile, "weights": hashlib.file_digest(file, "sha256").hexdigest()})
    return task.run(work, model_folder_of(run), {"tile": tile})


def _require_no_others(degraded: Path, images: Path) -> None:
    """Refuse a folder of results that holds other images, which would be judged as well."""
    from flowkit_deflow.images.image_listing import list_images

    if not images.is_dir():
        return
    made = {target for job in plan(degraded, images, Naming.of("png")).jobs for target in job.targets}
    others = [file for file in list_images(images) if file not in made]
    if others:
        raise UserError(f"{images}: holds images of other sources, like {others[0].name}; choose another --out")
