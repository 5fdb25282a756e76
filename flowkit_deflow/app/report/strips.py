"""Crops beside each other, as large as they are told apart by eye."""

from collections.abc import Mapping, Sequence

from matplotlib.figure import Figure
from torch import Tensor

__all__ = ["draw_strips"]

INCHES = 2.3  # of a crop's side


def draw_strips(rows: Sequence[Mapping[str, Tensor]]) -> Figure:
    """A row for each scene; above each crop stands what it is.

    Args:
        rows: crops ``3 x H x W`` in [0, 1] by their titles, as many in each row.
    """
    columns = len(rows[0])
    figure = Figure(figsize=(INCHES * columns, (INCHES + 0.15) * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        for axis, (title, image) in zip(line, row.items(), strict=True):
            axis.imshow(image.permute(1, 2, 0).numpy(), interpolation="nearest")
            axis.set_title(title, fontsize=10)
            axis.set_axis_off()
    return figure
