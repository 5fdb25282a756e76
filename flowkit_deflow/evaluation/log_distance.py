"""How far a set of images is from the real ones in several quantities at once."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from flowkit_deflow.evaluation.image_set import ImageSet, ImageSets
from flowkit_deflow.evaluation.place import Place, among_comparisons
from flowkit_deflow.evaluation.quantity import Measure, Quantity, Row, Value
from flowkit_deflow.evaluation.statistic import Statistic

__all__ = ["LogDistance"]


@dataclass(frozen=True, kw_only=True, eq=False)
class LogDistance(Quantity):
    r"""The root mean square of the logarithms of ratios to the real images' values: 0.1 is ten per cent off.

    .. math:: \sqrt{\tfrac1N \sum_{n=1}^{N} \log^2 (q_n / q_n^{real})}

    Attributes:
        measures: the quantities that the N values come from; each value counts once. Values that are not above zero
            on both sides are left out.
    """

    measures: tuple[Measure[Any], ...]
    place: Place = among_comparisons

    @property
    def needs(self) -> tuple[type[Statistic], ...]:
        """The statistics that the measures are computed from."""
        return tuple(dict.fromkeys(kind for measure in self.measures for kind in measure.needs))

    def of(self, images: ImageSet, sets: ImageSets) -> Value | None:
        """The distance of a set of images from the real one; None if either lacks a statistic, NaN without values."""
        real = sets.compared_with(images)
        own = [(measure.of(images, sets), measure.of(real, sets)) for measure in self.measures]
        squares: list[float] = []
        for value, real_value in own:
            if value is None or real_value is None:
                return None
            for a, b in zip(np.ravel(value), np.ravel(real_value), strict=True):
                if a > 0 and b > 0:
                    squares.append(float(np.log(a / b)) ** 2)
        return float(np.sqrt(np.mean(squares))) if squares else np.nan

    def cell(self, row: Row, images: ImageSet, sets: ImageSets) -> str:
        """What the table says of a set of images: the real ones are at distance 0 by definition."""
        return "0" if images is sets.real else super().cell(row, images, sets)
