"""Maps of correlation over the lag, and the lines along their axes."""

import numpy as np
from matplotlib.figure import Figure

from flowkit_deflow.evaluation.drawing.style import shown_sets, tidy, words
from flowkit_deflow.evaluation.evaluation import Evaluation
from flowkit_deflow.evaluation.picture import LagMaps
from flowkit_deflow.evaluation.quantity import Quantity
from flowkit_deflow.evaluation.statistic import Array

__all__ = ["draw_lag_maps"]


def draw_lag_maps(picture: LagMaps, quantity: Quantity, evaluation: Evaluation) -> Figure:
    """Draw a map for each set of images, and all sets along the axes of the lag."""
    shown = list(shown_sets(quantity, evaluation))
    measured = [(images, values) for images, values, _ in shown if images.measured]
    figure = Figure(figsize=(4 * (len(measured) + 1), 4), layout="constrained")
    panels = figure.subplots(1, len(measured) + 1, width_ratios=(*(1 for _ in measured), 1.35))
    limit = max([0.05, *(float(np.nanmax(np.abs(_without_origin(values)), initial=0)) for _, values in measured)])
    for axes, (images, values) in zip(panels[:-1], measured, strict=True):
        ticks = range(0, len(values), 2)
        axes.set_facecolor("#BBBBBB")
        image = axes.imshow(_without_origin(values), cmap="PuOr_r", vmin=-limit, vmax=limit)
        axes.set(
            title=f"{images.name.capitalize()} (lag 1: {values[[0, 1], [1, 0]].mean():.3f})",
            xlabel="lag to the right [pixels]",
            xticks=ticks,
            yticks=ticks,
        )
    panels[0].set_ylabel("lag down [pixels]")
    figure.colorbar(image, ax=list(panels[:-1]), shrink=0.8).set_label("autocorrelation\n(grey: 1 or not measured)")
    along = panels[-1]
    for images, values, style in shown:
        lags = np.arange(len(values))
        if not images.measured:
            along.plot(lags, values[0], **style)
            continue
        along.plot(lags, values[0], **{**style, "label": f"{images.name}, to the right"})
        down = {"label": f"{images.name}, down", "linestyle": ":", "markerfacecolor": "white"}
        along.plot(lags, values[:, 0], **{**style, **down})
    along.set(title="Along the axes", xlabel="lag [pixels]", ylabel="autocorrelation", xticks=lags)
    along.legend(frameon=False)
    tidy(along)
    figure.suptitle(words(picture.title, evaluation))
    return figure


def _without_origin(values: Array) -> Array:
    # Lag (0, 0) is 1 by definition: it is left out so that the colours serve the lags that differ.
    rest = values.copy()
    rest[0, 0] = np.nan
    return rest
