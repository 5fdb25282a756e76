"""``deflow report``."""

from pathlib import Path
from typing import Annotated

import typer

from flowkit_deflow.app.image_task import usable_device
from flowkit_deflow.app.options import Device, Seed
from flowkit_deflow.errors import UserError

__all__ = ["report"]


def report(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="Folder of the run, as written by deflow train.")],
    clean: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Clean images of pairs, to evaluate with them as well.")
    ] = None,
    degraded: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Their really degraded partners, by the same names.")
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder to write to. [default: RUN/report]")] = None,
    seed: Seed = 0,
    device: Device = "auto",
) -> None:
    """Write a page on a run: how the training went, and what its model makes of images that it never saw."""
    from flowkit_deflow.app.report.run_report import report_run
    from flowkit_deflow.training.resuming import settings_file

    if not settings_file(run).is_file():
        raise UserError(
            f"{run}: holds no run of DeFlow (no {settings_file(run).name}); give the folder of deflow train --out"
        )
    page = report_run(run, out or run / "report", clean, degraded, seed=seed, device=usable_device(device))
    typer.echo(f"Open {page} in a browser.")
