"""Tables made by directives."""

from collections.abc import Iterable, Sequence

from docutils import nodes

__all__ = ["table"]


def table(heading: Sequence[str], widths: Sequence[int], rows: Iterable[Sequence[nodes.Node]]) -> nodes.table:
    """A table of cells.

    Args:
        heading: texts of the first row.
        widths: of the columns, relative to each other.
        rows: their cells.
    """
    group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in widths), cols=len(widths))
    group += nodes.thead("", _row([nodes.Text(text) for text in heading]))
    group += nodes.tbody("", *map(_row, rows))
    return nodes.table("", group)


def _row(cells: Sequence[nodes.Node]) -> nodes.row:
    return nodes.row("", *(nodes.entry("", nodes.paragraph("", "", cell)) for cell in cells))
