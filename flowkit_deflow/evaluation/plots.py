"""Draws an evaluation: a picture of each quantity that has one."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from flowkit_deflow.evaluation.drawing.channel_histograms import draw_channel_histograms
from flowkit_deflow.evaluation.drawing.curves import draw_curves
from flowkit_deflow.evaluation.drawing.lag_maps import draw_lag_maps
from flowkit_deflow.evaluation.evaluation import Evaluation
from flowkit_deflow.evaluation.picture import ChannelHistograms, Curves, LagMaps, Picture
from flowkit_deflow.evaluation.quantity import Quantity
from flowkit_deflow.files import atomic_path

__all__ = ["plot_evaluation"]

DRAW: dict[type[Picture], Callable[[Any, Quantity, Evaluation], Figure]] = {
    Curves: draw_curves,
    LagMaps: draw_lag_maps,
    ChannelHistograms: draw_channel_histograms,
}
"""How each kind of picture is drawn: a new kind is a file in ``drawing`` and a line here."""


def plot_evaluation(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Draw the pictures of an evaluation as PNG files.

    Args:
        evaluation: what to draw.
        folder: where to write them (`std_vs_brightness.png`, `spectrum.png` and so on); it is created, and files of
            these names are replaced. What no set of images has is not drawn.

    Returns:
        Their paths, in the order of the quantities.

    Raises:
        UserError: a file cannot be written.
    """
    paths = []
    for quantity in evaluation.quantities:
        if quantity.picture is None or not quantity.known(evaluation.sets):
            continue
        figure = DRAW[type(quantity.picture)](quantity.picture, quantity, evaluation)
        path = folder / quantity.picture.file
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=120, format="png")
        paths.append(path)
    return paths
