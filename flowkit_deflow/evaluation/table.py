"""An evaluation as text."""

import textwrap
from collections.abc import Iterator

from flowkit_deflow.evaluation.bootstrap import LEVEL
from flowkit_deflow.evaluation.evaluation import Evaluation

__all__ = ["WITHOUT_PAIRS", "format_table"]

LABEL_WIDTH = 35
SET_WIDTH = 11
TEXT_WIDTH = 110

WITHOUT_PAIRS = (
    "Without pairs, these figures can show that noise is missing, too strong or of the wrong grain, not that it is "
    "right: what differs may be the scenes, and noise that follows the picture (sharpening, blur, a wrong level in "
    "textured or bright places) goes unseen. Read them between the clean images and a half of the real ones."
)


def format_table(evaluation: Evaluation) -> str:
    """Lay an evaluation out as text in aligned columns, about 120 wide with the usual sets.

    Args:
        evaluation: the evaluation.

    Returns:
        Lines without a final line break: quantities down the side; real, generated, the Gaussians fitted to real,
        and generated against real (x: ratio, + and -: difference) across. A dash stands for what could not be
        measured, an empty cell for what a set does not have. Below stand the intervals over images, without pairs
        what cannot be concluded, and the cautions. Warnings are not part of it.
    """
    sets = evaluation.sets
    header = [*(images.name for images in sets.columns), "generated vs real"]
    widths = [*(max(SET_WIDTH, len(images.name) + 2) for images in sets.columns), len(header[-1]) + 2]
    reference = "clean image" if evaluation.against_clean else "the same image smoothed"
    lines = [
        f"Residuals: degraded image - {reference}. Standard deviations and means in 8-bit grey levels.",
        _line("", header, widths),
        "-" * (LABEL_WIDTH + sum(widths)),
    ]
    for quantity in evaluation.quantities:
        note = "" if quantity.note is None else quantity.note(sets)
        for row in quantity.visible_rows(sets):
            cells = [quantity.cell(row, images, sets) for images in sets.columns]
            label = f"{quantity.name}{row.ending}{note}"
            lines.append(_line(label, [*cells, quantity.versus(row, sets)], widths))
    lines.extend(_intervals(evaluation))
    if not evaluation.against_clean:
        lines.extend(textwrap.wrap(WITHOUT_PAIRS, TEXT_WIDTH))
    for caution in evaluation.cautions:
        lines.extend(textwrap.wrap(f"Caution: {caution}.", TEXT_WIDTH, subsequent_indent="  "))
    return "\n".join(lines)


def _intervals(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.intervals:
        yield f"{100 * LEVEL:.0f} % intervals over images (bootstrap), by their names in evaluation.json:"
    for key, (low, high) in evaluation.intervals.items():
        yield f"  {key:<{LABEL_WIDTH - 2}}{low:.4f} .. {high:.4f}"


def _line(label: str, cells: list[str], widths: list[int]) -> str:
    aligned = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
    return f"{label:<{LABEL_WIDTH}}{''.join(aligned)}".rstrip()
