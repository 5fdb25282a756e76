"""A line for each set of images."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from flowkit_deflow.evaluation.drawing.style import positive, shown_sets, tidy, words
from flowkit_deflow.evaluation.evaluation import Evaluation
from flowkit_deflow.evaluation.picture import Curves
from flowkit_deflow.evaluation.quantity import Quantity

__all__ = ["draw_curves"]


def draw_curves(picture: Curves, quantity: Quantity, evaluation: Evaluation) -> Figure:
    """Draw a quantity against what it depends on."""
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for images, values, style in shown_sets(quantity, evaluation):
        if picture.logarithmic:
            values = positive(values)
        if not images.measured and np.ptp(values) == 0:
            # A baseline that does not depend on x is drawn across the whole picture.
            axes.axhline(values[0], **style)
        elif images.measured or np.isfinite(values).any():
            known = np.isfinite(values) if not picture.logarithmic else slice(None)
            axes.plot(picture.x[known], values[known], **style)
    axes.set(
        title=words(picture.title, evaluation),
        xlabel=words(picture.xlabel, evaluation),
        ylabel=words(picture.ylabel, evaluation),
        yscale="log" if picture.logarithmic else "linear",
        xlim=picture.xlim,
    )
    if picture.xticks is not None:
        axes.set_xticks(picture.xticks)
    if picture.logarithmic:
        # Noise rarely spans a decade: powers of ten alone would leave the axis without numbers.
        axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
        axes.yaxis.set_major_formatter(ScalarFormatter())
        axes.yaxis.set_minor_formatter(NullFormatter())
    else:
        axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    tidy(axes)
    return figure
