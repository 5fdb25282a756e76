"""``deflow convert``."""

from pathlib import Path
from typing import Annotated

import typer

from flowkit_deflow.errors import UserError, listed
from flowkit_deflow.settings.presets import PUBLISHED

__all__ = ["convert"]


def convert(
    source: Annotated[
        Path, typer.Argument(metavar="FROM", help="Published checkpoint (.pth, .safetensors) or model folder.")
    ],
    target: Annotated[
        Path, typer.Argument(metavar="TO", help="Model folder, or checkpoint file under published names.")
    ],
    preset: Annotated[
        str | None, typer.Option(help=f"The checkpoint's architecture: {listed(PUBLISHED, 'or')}.")
    ] = None,
    config: Annotated[Path | None, typer.Option(metavar="RUN.yaml", help="Its architecture, as settings.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace what is there.")] = False,
) -> None:
    """Convert published DeFlow checkpoints to model folders and back, and a run's last.ckpt to a model folder."""
    from flowkit_deflow.weights.conversion import read_published, write_published

    if not overwrite and (target.is_file() or (target / "config.json").exists()):
        raise UserError(f"{target}: is there already; give --overwrite to replace it, or choose another place")
    if source.is_dir():
        for note in write_published(source, target):
            typer.echo(note)
    elif source.suffix == ".ckpt":
        from flowkit_deflow.training.checkpoint_io import model_of_run

        model_of_run(source).save_pretrained(target)
    else:
        read_published(source, preset, config).save_pretrained(target)
    typer.echo(f"Written to {target}")
