"""``deflow preference``."""

from pathlib import Path
from typing import Annotated

import typer

from flowkit_deflow.app.left_out import other_files, report_problems
from flowkit_deflow.app.options import Strict
from flowkit_deflow.errors import UserError

__all__ = ["preference"]


def preference(
    first: Annotated[Path | None, typer.Argument(metavar="A", help="Folder of one method's images.")] = None,
    second: Annotated[
        Path | None, typer.Argument(metavar="B", help="Folder of another method's, by the same names.")
    ] = None,
    reference: Annotated[
        Path | None,
        typer.Option(metavar="C", help="Folder of the whole images to mark the crops in, by the same names."),
    ] = None,
    tally: Annotated[
        Path | None, typer.Option(metavar="ANSWERS", help="File or folder of answers, to count them instead.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(metavar="PAGE", help="Folder of the page; of a tally, for tally.json and tally.png.")
    ] = None,
    question: Annotated[str, typer.Option(help="What stands above each pair.")] = "Which of the two looks better?",
    crop: Annotated[int, typer.Option(min=8, help="Side of the crops, in pixels.")] = 80,
    crops: Annotated[int, typer.Option(min=1, help="Crops of each image.")] = 3,
    participants: Annotated[int, typer.Option(min=1, help="How many people take part at most.")] = 20,
    seed: Annotated[int, typer.Option(help="The same seed gives the same crops, orders and sides.")] = 0,
    strict: Strict = False,
) -> None:
    """Write a page that asks people which of two methods they prefer, or count their answers."""
    if tally is not None:
        if first is not None or reference is not None:
            raise UserError("--tally counts answers that are there; leave A, B and --reference out")
        _count(tally, out)
        return
    if first is None or second is None or reference is None or out is None:
        raise UserError("a page needs two folders, --reference and --out; or count answers with --tally")
    if first.resolve() == second.resolve():
        raise UserError(f"A and B are the same folder, {first}; name those of two methods")
    from tqdm import tqdm

    from flowkit_deflow.evaluation.preference.page import StudySettings, write_study

    settings = StudySettings(question, crop, crops, participants, seed)
    with tqdm(desc="preference", unit=" image", disable=None) as bar:
        problems = write_study(first, second, reference, out, settings, strict=strict, progress=bar.update)
    typer.echo(f"Open {out / 'index.html'} in a browser; count the answers with: deflow preference --tally ANSWERS")
    report_problems(problems, other_files(first, second))


def _count(answers: Path, out: Path | None) -> None:
    import json

    from flowkit_deflow.evaluation.preference.answers import TALLY, read_answers
    from flowkit_deflow.evaluation.preference.tally import Verdict, tally
    from flowkit_deflow.evaluation.preference.tally_plot import draw_tally
    from flowkit_deflow.evaluation.preference.tally_table import tally_lines
    from flowkit_deflow.files import atomic_path, require_target, write_text

    if out is not None:
        require_target(out, folder=True)
    result = tally(read_answers(answers))
    colours = {Verdict.PREFERRED: typer.colors.GREEN, Verdict.NOT_PREFERRED: typer.colors.RED}
    for line, verdict in tally_lines(result):
        typer.secho(line, fg=None if verdict is None else colours.get(verdict))
    if out is not None:
        write_text(out / TALLY, json.dumps(result.record, indent=2) + "\n")
        with atomic_path(out / "tally.png") as temporary:
            draw_tally(result).savefig(temporary, dpi=150)
