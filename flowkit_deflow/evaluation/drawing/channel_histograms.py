"""Histograms of the three channels."""

import numpy as np
from matplotlib.figure import Figure

from flowkit_deflow.evaluation.drawing.style import positive, shown_sets, tidy, words
from flowkit_deflow.evaluation.evaluation import Evaluation
from flowkit_deflow.evaluation.pair import CHANNEL_NAMES
from flowkit_deflow.evaluation.picture import ChannelHistograms
from flowkit_deflow.evaluation.quantity import Quantity

__all__ = ["draw_channel_histograms"]


def draw_channel_histograms(picture: ChannelHistograms, quantity: Quantity, evaluation: Evaluation) -> Figure:
    """Draw the share of pixels at each value: an area for real images, lines for all others."""
    figure = Figure(figsize=(11, 4), layout="constrained")
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    shown = list(shown_sets(quantity, evaluation))
    measured = [counts for images, counts, _ in shown if images.measured]
    seen = np.flatnonzero(sum(counts.sum(0) for counts in measured))
    reach = max(4, int(np.abs(picture.x[seen]).max()))
    # Half a pixel of the smallest set: below it, only the Gaussian would be drawn.
    floor = 0.5 / min(float(counts[0].sum()) for counts in measured)
    for channel, axes in enumerate(panels):
        for images, counts, style in shown:
            shares = counts[channel] / counts[channel].sum()
            colour, name = style["color"], style["label"]
            # The sets often agree so well that lines would hide each other: an area and a line do not.
            if images is evaluation.sets.real:
                axes.fill_between(
                    picture.x, floor, shares.clip(floor), step="mid", color=colour, alpha=0.4, lw=0, label=name
                )
            elif images.measured:
                axes.step(picture.x, shares.clip(floor), where="mid", color=colour, lw=1.2, label=name)
            else:
                axes.plot(picture.x, positive(shares), **style)
        axes.set(
            title=CHANNEL_NAMES[channel],
            xlabel=words(picture.xlabel, evaluation),
            yscale="log",
            xlim=(-reach - 1, reach + 1),
            ylim=(floor, 2),
        )
        tidy(axes)
    panels[0].set_ylabel("share of pixels per grey level")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(shown), frameon=False)
    figure.suptitle(f"{picture.title}: {picture.remark(evaluation.sets)}")
    return figure
