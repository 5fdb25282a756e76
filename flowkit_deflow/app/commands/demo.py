"""``deflow demo``."""

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["demo"]


def demo(
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder to write to.")] = Path("demo"),
    seed: Annotated[int, typer.Option(min=0, help="Of the camera's noise, the training and the samples.")] = 0,
    minutes: Annotated[float, typer.Option(min=0.05, help="Most time for training, of 1,200 steps or fewer.")] = 4.5,
) -> None:
    """Show the whole method on photographs that come with scikit-image, in a few minutes."""
    from flowkit_deflow.app.demo import run_demo

    report = run_demo(out, seed=seed, minutes=minutes)
    typer.echo(f"Open {report} in a browser.")
