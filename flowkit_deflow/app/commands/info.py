"""``deflow info``."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from flowkit_deflow.method.model import DeFlow

__all__ = ["info"]

# Keys of a file of weights that are shown.
SHOWN = 5


def info(
    path: Annotated[Path, typer.Argument(metavar="PATH", help="Model folder, run folder or file of weights.")],
) -> None:
    """Say what a model folder, run folder or checkpoint holds."""
    if path.is_file():
        _tell_of_weights(path)
    else:
        _tell_of_model(path)


def _tell_of_weights(path: Path) -> None:
    from flowkit_deflow.state_files import read_state

    state = read_state(path)
    typer.echo(f"{path}: {len(state)} tensors, {sum(v.numel() for v in state.values()):,} numbers")
    if path.suffix == ".ckpt":
        from flowkit_deflow.training.checkpoint_io import steps_of

        typer.echo(f"  of a run after step {steps_of(path)}")
    for key, value in list(state.items())[:SHOWN]:
        typer.echo(f"  {key}  {tuple(value.shape)}  {str(value.dtype).removeprefix('torch.')}")
    typer.echo("  ...")


def _tell_of_model(folder: Path) -> None:
    import yaml
    from torch import nn

    from flowkit_deflow.degraders.registry import load_degrader
    from flowkit_deflow.model_folder import model_folder_of, read_model_folder
    from flowkit_deflow.restoration.restorer import Restorer

    folder = model_folder_of(folder)
    stored = read_model_folder(folder)
    model = Restorer.from_pretrained(folder) if stored.kind == Restorer.kind else load_degrader(folder)
    parameters = sum(p.numel() for p in model.parameters()) if isinstance(model, nn.Module) else 0
    typer.echo(f"{folder}: {type(model).__name__}, {parameters:,} parameters")
    if model.kind in DETAILS:
        for line in DETAILS[model.kind](model):
            typer.echo(line)
    typer.echo(yaml.safe_dump(dict(stored.settings), sort_keys=False).rstrip())


def _details_of_deflow(network: "DeFlow") -> Iterator[str]:
    from flowkit_deflow.method.shifts.binned import BinnedShift

    yield f"image sides are padded to multiples of {network.config.alignment} pixels"
    if network.grain is not None:
        yield f"{network.grain.in_words} on top of what the shift generates"
    for i, shift in enumerate(network.latents.shifts):
        std = (shift.factor @ shift.factor.T).diagonal().sqrt()
        yield f"latents {i}: {shift.channels} channels, |mean shift| {shift.mean.norm():.3f}, mean std {std.mean():.3f}"
        if isinstance(shift, BinnedShift) and bool(shift.measured):
            deviations = shift.class_root.square().sum(-1).sqrt().mean(-1)
            yield (
                f"latents {i}: measured in {shift.classes} classes of places, mean std from {deviations.min():.3f} to "
                f"{deviations.max():.3f}"
            )


# What is worth knowing of a kind besides its settings.
DETAILS: dict[str, Callable[[Any], Iterator[str]]] = {"deflow": _details_of_deflow}
