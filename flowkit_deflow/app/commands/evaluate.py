"""``deflow evaluate``."""

from pathlib import Path
from typing import Annotated

import typer

from flowkit_deflow.app.left_out import other_files, report_problems
from flowkit_deflow.app.options import Strict

__all__ = ["evaluate"]


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
    source: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Without --clean: the images that GENERATED was made from, as the floor."),
    ] = None,
    out: Annotated[Path, typer.Option(metavar="DIR", help="Folder for evaluation.json and the plots.")] = Path(
        "evaluation"
    ),
    strict: Strict = False,
) -> None:
    """Compare the noise of generated images with that of real ones: level, places, grain, colour, distribution."""
    from tqdm import tqdm

    from flowkit_deflow.evaluation import evaluation
    from flowkit_deflow.evaluation.json_record import write_json
    from flowkit_deflow.evaluation.plots import plot_evaluation
    from flowkit_deflow.evaluation.table import format_table
    from flowkit_deflow.files import require_target

    require_target(out, folder=True)
    with tqdm(desc="evaluate", unit=" image", disable=None) as bar:

        def one_done(_: Path) -> None:
            bar.update()

        result = evaluation.evaluate(
            generated, real, clean, real_clean, source=source, strict=strict, progress=one_done
        )
    typer.echo(format_table(result))
    write_json(out / "evaluation.json", result)
    plots = plot_evaluation(result, out)
    typer.echo(f"Written to {out}: evaluation.json, {', '.join(path.name for path in plots)}")
    report_problems(result.warnings, other_files(generated, real))
