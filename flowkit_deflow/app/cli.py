"""The ``deflow`` command."""

import json
import logging
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowkit_deflow.errors import UserError
from flowkit_deflow.training.memory import keep_freed_memory

if TYPE_CHECKING:  # heavy imports wait until a command runs: --help answers at once
    from torch import Tensor

    from flowkit_deflow.images.noise import NoiseSource
    from flowkit_deflow.method.model import DeFlow

__all__ = ["app", "main"]

# Typer's exit status after Ctrl-C, the shells' own.
INTERRUPTED = 130

app = typer.Typer(
    name="deflow",
    help="Learn realistic image degradations from unpaired photographs, and apply them.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)

ModelFolder = Annotated[Path, typer.Argument(metavar="MODEL", help="Model folder, as written by deflow train.")]
Source = Annotated[Path, typer.Argument(metavar="IN", help="An image, or a folder tree of images.")]
Target = Annotated[Path, typer.Argument(metavar="OUT", help="Folder to write to; for one image, also a file.")]
Temperature = Annotated[float, typer.Option(min=0.0, help="Strength: 0 none, 1 as learned.")]
Samples = Annotated[
    int | None, typer.Option(min=1, help="Versions of each image, NAME_s0, NAME_s1, ... [default: one]")
]
Seed = Annotated[int, typer.Option(help="The same seed gives the same images (by their paths below IN).")]
Format = Annotated[str, typer.Option("--format", help="Image format of the results: png, jpg, webp, tif, ...")]
TileSide = Annotated[int, typer.Option(min=8, help="Work in overlapping tiles of this many pixels.")]
Workers = Annotated[int, typer.Option(min=1, help="Threads that read and write images.")]
Device = Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps, ...")]
Overwrite = Annotated[bool, typer.Option("--overwrite", help="Make results anew that are there already.")]
Strict = Annotated[bool, typer.Option("--strict", help="Stop at the first unreadable image.")]


@app.command()
def train(
    out: Annotated[Path, typer.Option(metavar="RUN", help="Folder of the run; given again, the run goes on.")],
    clean: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of clean images.")] = None,
    degraded: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of degraded images.")] = None,
    preset: Annotated[str | None, typer.Option(help="aim, ntire, dped, small or tiny. [default: small]")] = None,
    config: Annotated[Path | None, typer.Option(metavar="RUN.yaml", help="Settings; instead of a preset.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change any setting, like training.steps=2000; repeatable."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Short for --set training.seed=...")] = None,
    steps: Annotated[int | None, typer.Option(help="Short for --set training.steps=...")] = None,
    strict: Strict = False,
) -> None:
    """Train a model from two unrelated folders of images."""
    from flowkit_deflow.settings import schema as settings
    from flowkit_deflow.settings.presets import preset as named
    from flowkit_deflow.training.trainer import train as run_training

    if config is not None and preset is not None:
        raise UserError(f"--config {config} and --preset {preset} were both given; choose one of them")
    run = (
        named(preset or "small")
        if config is None
        else settings.from_dict(settings.Run, settings.read_yaml(config), str(config))
    )
    short = {"data.clean": clean, "data.degraded": degraded, "training.seed": seed, "training.steps": steps}
    changes = [
        f"{name}={json.dumps(str(value))}" if isinstance(value, Path) else f"{name}={value}"
        for name, value in short.items()
        if value is not None
    ]
    if strict:
        changes.append("data.strict=true")
    run = settings.override(run, [*changes, *(set_ or [])])
    _, problems = run_training(run, out)
    typer.echo(f"The model is in {out / 'model'}; scalars and sample images: tensorboard --logdir {out / 'log'}")
    _report_problems(problems)


@app.command()
def degrade(
    model: ModelFolder,
    source: Source,
    target: Target,
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
    """Make degraded versions of clean images."""
    network = _load(model, device)

    def function(images: "Tensor", noise: "NoiseSource") -> "Tensor":
        return network.degrade(images, temperature, samples=samples or 1, noise=noise, tile=tile)

    _apply(network, function, _Task(source, target, format_, samples, seed, workers, overwrite, strict))


@app.command()
def restore(
    model: ModelFolder,
    source: Source,
    target: Target,
    temperature: Temperature = 1.0,
    samples: Samples = None,
    mean: Annotated[bool, typer.Option("--mean", help="Also write the mean of the samples, NAME_mean.")] = False,
    seed: Seed = 0,
    format_: Format = "png",
    tile: TileSide = 512,
    workers: Workers = 2,
    device: Device = "auto",
    overwrite: Overwrite = False,
    strict: Strict = False,
) -> None:
    """Make clean versions of degraded images; temperature 0 decodes the posterior's mean."""
    network = _load(model, device)

    def function(images: "Tensor", noise: "NoiseSource") -> "Tensor":
        import torch

        versions = network.restore(images, temperature, samples=samples or 1, noise=noise, tile=tile)
        return torch.cat([versions, versions.mean(0, keepdim=True)]) if mean else versions

    endings = ["_mean"] if mean else []
    _apply(network, function, _Task(source, target, format_, samples, seed, workers, overwrite, strict), endings)


@app.command()
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

    names = {member.name.lower(): member for member in Domain}
    if domain not in names:
        raise UserError(f"--domain {domain!r} is unknown; there are: {', '.join(names)}")
    network = _load(model, device)

    def function(images: "Tensor", noise: "NoiseSource") -> "Tensor":
        return network.sample(images, names[domain], temperature, samples=samples or 1, noise=noise, tile=tile)

    _apply(network, function, _Task(source, target, format_, samples, seed, workers, overwrite, strict))


@app.command()
def evaluate(
    generated: Annotated[Path, typer.Argument(metavar="GENERATED", help="Folder of generated degraded images.")],
    real: Annotated[Path, typer.Argument(metavar="REAL", help="Folder of really degraded images.")],
    clean: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Clean images that GENERATED was made from, by the same names.")
    ] = None,
    real_clean: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Clean partners of REAL, where they lie elsewhere than in --clean."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for evaluation.json and the plots.")] = Path(
        "evaluation"
    ),
    strict: Strict = False,
) -> None:
    """Compare generated degraded images with real ones: noise level, correlation, spectrum, histogram."""
    from tqdm import tqdm

    from flowkit_deflow.evaluation import evaluation
    from flowkit_deflow.evaluation.json_record import write_json
    from flowkit_deflow.evaluation.plots import plot_evaluation
    from flowkit_deflow.evaluation.table import format_table

    with tqdm(desc="evaluate", unit=" image", disable=None) as bar:

        def one_done(_: Path) -> None:
            bar.update()

        result = evaluation.evaluate(generated, real, clean, real_clean, strict=strict, progress=one_done)
    typer.echo(format_table(result))
    write_json(out / "evaluation.json", result)
    plots = plot_evaluation(result, out)
    typer.echo(f"Written to {out}: evaluation.json, {', '.join(path.name for path in plots)}")
    _report_problems(result.warnings)


@app.command()
def convert(
    source: Annotated[
        Path, typer.Argument(metavar="FROM", help="Published checkpoint (.pth, .safetensors) or model folder.")
    ],
    target: Annotated[
        Path, typer.Argument(metavar="TO", help="Model folder, or checkpoint file under published names.")
    ],
    preset: Annotated[str | None, typer.Option(help="The checkpoint's architecture: aim, ntire or dped.")] = None,
    config: Annotated[Path | None, typer.Option(metavar="RUN.yaml", help="Its architecture, as settings.")] = None,
) -> None:
    """Convert published DeFlow checkpoints to model folders and back, and a run's last.ckpt to a model folder."""
    from dataclasses import replace

    from flowkit_deflow.method.model import DeFlow
    from flowkit_deflow.settings import schema as settings
    from flowkit_deflow.settings.presets import AIM_NORMALIZATION
    from flowkit_deflow.settings.presets import preset as named
    from flowkit_deflow.state_files import read_state, write_state
    from flowkit_deflow.weights.published import from_published, to_published

    if source.is_dir():
        network = DeFlow.from_pretrained(source)
        write_state(target, to_published(network.bijector, network.latents))
        typer.echo("Two tensors that the published network never uses (flowUpsamplerNet.f.0) are written as zeros.")
        if network.config.normalization is not None:
            typer.echo(
                f"The published format cannot hold this model's colour normalisation: keep {source / 'config.json'}."
            )
    elif source.suffix == ".ckpt":
        from flowkit_deflow.training.checkpoint_io import model_of_run

        model_of_run(source).save_pretrained(target)
    else:
        state = read_state(source)
        if (preset is None) == (config is None):
            raise UserError(
                f"{source}: say which architecture it has with either --preset (aim, ntire, dped) or --config"
            )
        if preset is not None:
            architecture = named(preset).architecture
            if preset == "aim":
                architecture = replace(architecture, normalization=AIM_NORMALIZATION)
        else:
            assert config is not None
            architecture = settings.from_dict(settings.Run, settings.read_yaml(config), str(config)).architecture
        network = DeFlow(architecture)
        from_published(network.bijector, network.latents, state)
        network.save_pretrained(target)
    typer.echo(f"Written to {target}")


@app.command()
def info(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Model folder, run folder or file of weights.")],
) -> None:
    """Say what a model folder, run folder or checkpoint holds."""
    from flowkit_deflow.method.model import DeFlow
    from flowkit_deflow.settings.schema import to_yaml
    from flowkit_deflow.state_files import read_state

    if path.is_file():
        state = read_state(path)
        typer.echo(f"{path}: {len(state)} tensors, {sum(v.numel() for v in state.values()):,} numbers")
        for key, value in list(state.items())[:5]:
            typer.echo(f"  {key}  {tuple(value.shape)}  {str(value.dtype).removeprefix('torch.')}")
        typer.echo("  ...")
        return
    folder = path / "model" if (path / "run.yaml").exists() else path
    network = DeFlow.from_pretrained(folder)
    typer.echo(f"{folder}: DeFlow, {sum(p.numel() for p in network.parameters()):,} parameters")
    typer.echo(f"image sides are padded to multiples of {network.config.alignment} pixels")
    for i, shift in enumerate(network.latents.shifts):
        std = (shift.factor @ shift.factor.T).diagonal().sqrt()
        typer.echo(
            f"latents {i}: {shift.channels} channels, |mean shift| {shift.mean.norm():.3f}, mean std {std.mean():.3f}"
        )
    typer.echo(to_yaml(network.config).rstrip())


@app.command()
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
        task = _Task(source, folder, format_, workers=workers, overwrite=overwrite, strict=strict, results=target)
        _run(task, partial(_downsampled, factor=number), f"downsample {number}x")


@app.command()
def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write to.")] = Path("demo"),
    seed: Seed = 0,
    minutes: Annotated[float, typer.Option(min=0.05, help="Time for training.")] = 4.5,
) -> None:
    """Show the whole method on photographs that come with scikit-image, in a few minutes."""
    from flowkit_deflow.app.demo import run_demo

    report = run_demo(out, seed=seed, minutes=minutes)
    typer.echo(f"Open {report} in a browser.")


def main() -> None:
    """Run the command; a mistake in what was asked for becomes one line and exit status 2."""
    keep_freed_memory()
    # Importing Lightning sets the level of its own logger, but not of these below it.
    for package in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(f"{package}.utilities.rank_zero").setLevel(logging.WARNING)
    # Deprecations inside Lightning and advice about worker counts are not the user's concern.
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    threading.excepthook = _in_thread
    try:
        app(prog_name="deflow")
    except UserError as error:
        sys.stderr.write(f"deflow: {' '.join(str(error).split())}\n")
        sys.exit(2)
    except SystemExit as end:
        if end.code == INTERRUPTED:
            sys.stderr.write("deflow: stopped; train, degrade, restore, sample and downsample go on when given again\n")
        raise


def _in_thread(failure: threading.ExceptHookArgs) -> None:
    """Leave out the traceback of TensorBoard's writing thread on a full disk: the main thread meets the same error."""
    if not issubclass(failure.exc_type, OSError):
        threading.__excepthook__(failure)


def _load(folder: Path, device: str) -> "DeFlow":
    import torch

    from flowkit_deflow.method.model import DeFlow

    network = DeFlow.from_pretrained(folder)
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return network.to(device)
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"--device {device!r} cannot be used here ({str(error).splitlines()[0]}); try --device cpu"
        ) from None


@dataclass(frozen=True)
class _Task:
    """What the commands that make images of images have in common."""

    source: Path
    target: Path
    format: str
    samples: int | None = None
    seed: int = 0
    workers: int = 2
    overwrite: bool = False
    strict: bool = False
    results: Path | None = None


def _apply(
    network: "DeFlow",
    function: "Callable[[Tensor, NoiseSource], Tensor]",
    task: _Task,
    endings: Iterable[str] = (),
) -> None:
    device = next(network.parameters()).device

    def on_one(image: "Tensor", noise: "NoiseSource") -> "list[Tensor]":
        return [version[0].cpu() for version in function(image[None].to(device), noise)]

    _run(task, on_one, "images", endings)


def _downsampled(image: "Tensor", noise: "NoiseSource", factor: int) -> "list[Tensor]":
    from flowkit_deflow.images.resize import bicubic_downsample

    return [bicubic_downsample(image, factor).clamp(0, 1)]


def _run(
    task: _Task,
    function: "Callable[[Tensor, NoiseSource], list[Tensor]]",
    title: str,
    endings: Iterable[str] = (),
) -> None:
    from tqdm import tqdm

    from flowkit_deflow.app.apply import apply_to_images, plan

    suffix = f".{task.format.lower().removeprefix('.')}"
    jobs = plan(task.source, task.target, task.samples, suffix, endings, task.results)
    with tqdm(total=len(jobs), desc=title, unit=" image", disable=None) as bar:
        outcome = apply_to_images(
            jobs,
            function,
            seed=task.seed,
            workers=task.workers,
            overwrite=task.overwrite,
            strict=task.strict,
            progress=bar.update,
        )
    if outcome.problems and not outcome.written and not outcome.skipped:
        raise UserError(f"{task.source}: no image could be read, {len(jobs)} tried; the first: {outcome.problems[0]}")
    there = f", {outcome.skipped} were there already" if outcome.skipped else ""
    typer.echo(f"{outcome.written} images done{there}; results in {task.target}")
    _report_problems(outcome.problems)


def _report_problems(problems: Sequence[str]) -> None:
    if problems:
        sys.stderr.write(f"{len(problems)} images were left out:\n")
        for problem in problems:
            sys.stderr.write(f"  {problem}\n")
