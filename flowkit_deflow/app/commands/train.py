"""``deflow train``."""

from pathlib import Path
from typing import Annotated

import typer

from flowkit_deflow.app.image_task import report_problems
from flowkit_deflow.app.options import Strict
from flowkit_deflow.errors import UserError, listed
from flowkit_deflow.settings.presets import DEFAULT_PRESET, PRESETS

__all__ = ["train"]


def train(
    out: Annotated[Path, typer.Option(metavar="RUN", help="Folder of the run; given again, the run goes on.")],
    clean: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of clean images.")] = None,
    degraded: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of degraded images.")] = None,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Images of the same name in both folders show the same; learn from pairs.")
    ] = False,
    degrader: Annotated[
        str, typer.Option(help="Kind of degrader: deflow, or one to compare it with: none, white, camera, ...")
    ] = "deflow",
    preset: Annotated[str | None, typer.Option(help=f"{listed(PRESETS, 'or')}. [default: {DEFAULT_PRESET}]")] = None,
    config: Annotated[Path | None, typer.Option(metavar="RUN.yaml", help="Settings; instead of a preset.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change any setting, like training.steps=2000; repeatable."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Short for --set training.seed=...")] = None,
    steps: Annotated[int | None, typer.Option(help="Short for --set training.steps=...")] = None,
    strict: Strict = False,
) -> None:
    """Train a model from two unrelated folders of images, or from pairs."""
    from flowkit_deflow.settings.presets import preset as named
    from flowkit_deflow.settings.text import override, read_run
    from flowkit_deflow.training.checkpoint_io import monitored_steps
    from flowkit_deflow.training.monitors.history import History
    from flowkit_deflow.training.monitors.table import findings
    from flowkit_deflow.training.trainer import train as run_training

    if config is not None and preset is not None:
        raise UserError(f"--config {config} and --preset {preset} were both given; choose one of them")
    if degrader != "deflow":
        _train_another_kind(degrader, preset, config, _changes(clean, degraded, pairs, seed, steps, strict, set_), out)
        return
    run = named(preset or DEFAULT_PRESET) if config is None else read_run(config)
    run = override(run, _changes(clean, degraded, pairs, seed, steps, strict, set_))
    _, problems = run_training(run, out)
    for title, finding in findings(History.read(monitored_steps(out)), read_run(out / "run.yaml")):
        if finding.advice:
            typer.echo(f"{title}: {finding.measured}; {finding.advice}")
    typer.echo(f"The model is in {out / 'model'}; scalars and sample images: tensorboard --logdir {out / 'log'}")
    typer.echo(f"How the training went, and what the model makes of images held out: deflow report {out}")
    report_problems(problems)


def _changes(
    clean: Path | None,
    degraded: Path | None,
    pairs: bool,
    seed: int | None,
    steps: int | None,
    strict: bool,
    others: list[str] | None,
) -> list[str]:
    """What was asked for by options, as changes of settings; kinds without a setting say so."""
    from flowkit_deflow.settings.text import assignments

    given = {
        "data.clean": clean,
        "data.degraded": degraded,
        "data.pairs": pairs or None,
        "training.seed": seed,
        "training.steps": steps,
        "data.strict": strict or None,
    }
    return [*assignments(given), *(others or [])]


def _train_another_kind(kind: str, preset: str | None, config: Path | None, changes: list[str], out: Path) -> None:
    from flowkit_deflow.app.learned_degrader import learn_kind

    problems = learn_kind(kind, preset, config, changes, out)
    typer.echo(f"The degrader is in {out / 'model'}; apply it with: deflow degrade {out / 'model'} PHOTOS OUT")
    report_problems(problems)
