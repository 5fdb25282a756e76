"""What a picture of a quantity looks like; `flowkit_deflow.evaluation.drawing` draws it.

Labels may hold ``{reference}`` (clean, or smoothed) and ``{residual}`` (what was subtracted from what).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from flowkit_deflow.evaluation.image_set import ImageSets
from flowkit_deflow.evaluation.statistic import Array

__all__ = ["ChannelHistograms", "Curves", "LagMaps", "Picture"]


@dataclass(frozen=True, kw_only=True, eq=False)
class Picture:
    """What every picture has.

    Attributes:
        file: its file's name, ending in ``.png``.
        heading: what stands above it in a report.
        title: what stands above it in the picture itself.
    """

    file: str
    heading: str
    title: str


@dataclass(frozen=True, kw_only=True, eq=False)
class Curves(Picture):
    """A line for each set of images: a quantity with one index, against what it depends on.

    Attributes:
        x: shape (N,), the positions of the quantity's N values.
        xlabel: what x is, and its unit.
        ylabel: what the quantity is, and its unit.
        xlim: ends of the horizontal axis.
        xticks: its ticks; None leaves them to matplotlib.
        logarithmic: whether the vertical axis is logarithmic; otherwise it begins at zero.
    """

    x: Array
    xlabel: str
    ylabel: str
    xlim: tuple[float, float]
    xticks: Sequence[float] | None = None
    logarithmic: bool = False


@dataclass(frozen=True, kw_only=True, eq=False)
class LagMaps(Picture):
    """A map for each set of images, and lines along the two axes: a quantity of the lag down and to the right."""


@dataclass(frozen=True, kw_only=True, eq=False)
class ChannelHistograms(Picture):
    """Histograms in three panels: a quantity with pixel counts over channel and value.

    Attributes:
        x: shape (K,), the centres of the histogram's bins.
        xlabel: what x is, and its unit.
        remark: what follows the title.
    """

    x: Array
    xlabel: str
    remark: Callable[[ImageSets], str]
