"""``deflow train``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowkit_deflow.app.left_out import other_files, report_problems
from flowkit_deflow.app.options import Strict
from flowkit_deflow.errors import UserError, listed
from flowkit_deflow.settings.presets import DEFAULT_PRESET, PRESETS, PUBLISHED

if TYPE_CHECKING:  # heavy imports wait until a command runs: --help answers at once
    from flowkit_deflow.settings.schema import Run

__all__ = ["train"]


def train(
    out: Annotated[Path, typer.Option(metavar="RUN", help="Folder of the run; given alone, the run goes on.")],
    clean: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of clean images.")] = None,
    degraded: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of degraded images.")] = None,
    pairs: Annotated[
        bool, typer.Option("--pairs", help="Images of the same name in both folders show the same; learn from pairs.")
    ] = False,
    degrader: Annotated[
        str | None,
        typer.Option(
            help="Kind of degrader: deflow, or one to compare it with: none, white, camera, ... "
            "[default: the run's, deflow for a new one]"
        ),
    ] = None,
    from_: Annotated[
        Path | None,
        typer.Option(
            "--from",
            metavar="MODEL",
            help="Start from the weights of a model folder, a run, its .ckpt, or a published checkpoint.",
        ),
    ] = None,
    preset: Annotated[
        str | None,
        typer.Option(
            help=f"{listed(PRESETS, 'or')}; other degraders have presets of their own, like paper. "
            f"[default: {DEFAULT_PRESET}]"
        ),
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="RUN.yaml", help="Settings; instead of a preset.")] = None,
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Change any setting, like training.steps=2000; repeatable."),
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Short for --set training.seed=...")] = None,
    steps: Annotated[
        int | None, typer.Option(help="Short for --set training.steps=...; more of them lengthen a run.")
    ] = None,
    strict: Strict = False,
) -> None:
    """Train a model from two unrelated folders of images, or from pairs."""
    from flowkit_deflow.app.learned_degrader import changes_for, kind_of_run
    from flowkit_deflow.method.model import DeFlow
    from flowkit_deflow.settings.text import assignments, override, read_run
    from flowkit_deflow.training.checkpoint_io import monitored_steps
    from flowkit_deflow.training.monitors.history import History
    from flowkit_deflow.training.monitors.table import findings
    from flowkit_deflow.training.resuming import has_begun, settings_file
    from flowkit_deflow.training.trainer import train as run_training

    if config is not None and preset is not None:
        raise UserError(f"--config {config} and --preset {preset} were both given; choose one of them")
    options: dict[str, tuple[str, object]] = {
        "data.clean": ("--clean", clean),
        "data.degraded": ("--degraded", degraded),
        "data.pairs": ("--pairs", pairs or None),
        "training.initial_model": ("--from", from_),
        "training.seed": ("--seed", seed),
        "training.steps": ("--steps", steps),
        "data.strict": ("--strict", strict or None),
    }
    kind = degrader or kind_of_run(out)
    if kind != DeFlow.kind:
        _train_another_kind(kind, preset, config, [*changes_for(kind, options), *(set_ or [])], out)
        return
    given = {name: value for name, (_, value) in options.items()}
    recorded = settings_file(out)
    # A run that failed before its first checkpoint leaves nothing to go on with, unless nothing else is asked for.
    goes_on = has_begun(out) or (recorded.exists() and degraded is None)
    as_recorded = goes_on and preset is None and config is None
    run = read_run(recorded) if as_recorded else _new_run(preset, config, from_)
    run = override(run, [*assignments(given), *(set_ or [])])
    _, problems = run_training(run, out)
    for title, finding in findings(History.read(monitored_steps(out)), read_run(recorded)):
        if finding.advice:
            typer.echo(f"{title}: {finding.measured}; {finding.advice}")
    typer.echo(f"The model is in {out / 'model'}; scalars and sample images: tensorboard --logdir {out / 'log'}")
    typer.echo(f"How the training went, and what the model makes of images held out: deflow report {out}")
    report_problems(problems, other_files(run.data.clean, run.data.degraded))


def _new_run(preset: str | None, config: Path | None, initial_model: Path | None) -> "Run":
    """The settings of a preset or a file, with the architecture of the model to start from."""
    from dataclasses import replace

    from flowkit_deflow.settings.config_file import read_config
    from flowkit_deflow.settings.presets import preset as named
    from flowkit_deflow.settings.schema import Run
    from flowkit_deflow.training.initial_model import model_at

    run = named(preset or DEFAULT_PRESET) if config is None else read_config(Run, config)
    if initial_model is None:
        return run
    model = model_at(initial_model)
    if model is not None:
        typer.echo(f"The architecture is that of {initial_model}.")
        architecture = replace(model.config, normalization=None) if run.data.normalize else model.config
        return replace(run, architecture=architecture)
    if config is None and preset is None:
        raise UserError(
            f"--from {initial_model}: a published checkpoint does not say which architecture it has; name it with "
            f"--preset ({listed(PUBLISHED, 'or')}) or --config"
        )
    return run


def _train_another_kind(kind: str, preset: str | None, config: Path | None, changes: list[str], out: Path) -> None:
    from flowkit_deflow.app.learned_degrader import learn_kind

    data, problems = learn_kind(kind, preset, config, changes, out)
    typer.echo(f"The degrader is in {out / 'model'}; apply it with: deflow degrade {out / 'model'} PHOTOS OUT")
    report_problems(problems, other_files(data.clean, data.degraded))
