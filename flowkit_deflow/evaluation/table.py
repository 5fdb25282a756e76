"""An evaluation as text."""

from flowkit_deflow.evaluation.evaluation import Evaluation

__all__ = ["format_table"]

LABEL_WIDTH = 35
SET_WIDTH = 15


def format_table(evaluation: Evaluation) -> str:
    """Lay an evaluation out as text in aligned columns, at most 100 wide with the usual sets.

    Args:
        evaluation: the evaluation.

    Returns:
        Lines without a final line break: quantities down the side; real, generated, the white Gaussian fitted
        to real, and generated against real (x: ratio, + and -: difference) across. A dash stands for what
        could not be measured. Warnings are not part of it.
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
    return "\n".join(lines)


def _line(label: str, cells: list[str], widths: list[int]) -> str:
    aligned = (f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))
    return f"{label:<{LABEL_WIDTH}}{''.join(aligned)}".rstrip()
