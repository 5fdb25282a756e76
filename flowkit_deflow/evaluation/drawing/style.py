"""What the pictures of an evaluation have in common: colours, axes, words."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from flowkit_deflow.evaluation.evaluation import Evaluation
from flowkit_deflow.evaluation.image_set import ImageSet
from flowkit_deflow.evaluation.quantity import Quantity
from flowkit_deflow.evaluation.statistic import Array

__all__ = ["positive", "shown_sets", "tidy", "words"]

# Okabe and Ito's palette: told apart with every common colour blindness, and by their darkness in print.
MEASURED_STYLES: tuple[dict[str, Any], ...] = (
    {"color": "#0072B2", "marker": "o", "markersize": 4},
    {"color": "#D55E00", "marker": "s", "markersize": 4},
    {"color": "#009E73", "marker": "^", "markersize": 4},
    {"color": "#CC79A7", "marker": "v", "markersize": 4},
)
BASELINE_STYLES: tuple[dict[str, Any], ...] = (
    {"color": "#555555", "linestyle": "--"},
    {"color": "#555555", "linestyle": ":"},
    {"color": "#555555", "linestyle": "-."},
)


def shown_sets(quantity: Quantity, evaluation: Evaluation) -> Iterator[tuple[ImageSet, Array, dict[str, Any]]]:
    """The sets that have a quantity, its values in its unit, and the style of the set's lines."""
    counts = {True: 0, False: 0}
    for images in evaluation.sets.columns:
        styles = MEASURED_STYLES if images.measured else BASELINE_STYLES
        style = styles[counts[images.measured] % len(styles)]
        counts[images.measured] += 1
        values = quantity.shown(images, evaluation.sets)
        if values is not None:
            yield images, values, {**style, "label": images.name}


def words(text: str, evaluation: Evaluation) -> str:
    """A label with what the images were measured against."""
    if evaluation.against_clean:
        return text.format(reference="clean", residual="degraded - clean")
    return text.format(reference="smoothed", residual="degraded - smoothed degraded")


def tidy(axes: Axes) -> None:
    """Leave out what does not carry numbers."""
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)


def positive(values: Array) -> Array:
    """The values for a logarithmic axis, which has no place for zero: NaN leaves a gap there."""
    return np.where(values > 0, values, np.nan)
