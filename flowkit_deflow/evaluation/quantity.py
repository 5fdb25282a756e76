"""A quantity of the evaluation: one entry, which the table, the JSON and the pictures read."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from flowkit_deflow.evaluation.comparison import Comparison, ratio
from flowkit_deflow.evaluation.image_set import ImageSet, ImageSets
from flowkit_deflow.evaluation.picture import Picture
from flowkit_deflow.evaluation.place import Place, among_comparisons, comparison_of_generated, in_own_object
from flowkit_deflow.evaluation.statistic import Array, Statistic
from flowkit_deflow.evaluation.unit import PLAIN, Unit

__all__ = ["Distance", "Measure", "Quantity", "Relative", "Row", "Share", "Value"]

Value = float | Array
S = TypeVar("S", bound=Statistic)


@dataclass(frozen=True)
class Row:
    """A line of the table.

    Attributes:
        ending: what follows the quantity's name.
        index: which of the quantity's values it shows; empty for a quantity that is one number.
    """

    ending: str = ""
    index: tuple[int, ...] = ()


@dataclass(frozen=True, kw_only=True, eq=False)
class Quantity(ABC):
    """A number or an array of numbers for each set of images.

    Attributes:
        key: its name in the JSON.
        name: its name in the table.
        unit: the unit in which it is shown; the JSON holds it without the unit's scale.
        place: where the JSON holds it.
        rows: its lines in the table: one for a number, several for a curve, none to keep it out of the table.
        interval: whether the uncertainty over images of its comparison with the real images is computed.
        note: what else follows its name in the table.
        picture: how it is drawn; None if it is not.
    """

    key: str
    name: str = ""
    unit: Unit = PLAIN
    place: Place
    rows: tuple[Row, ...] = (Row(),)
    interval: bool = False
    note: Callable[[ImageSets], str] | None = None
    picture: Picture | None = None

    @property
    @abstractmethod
    def needs(self) -> tuple[type[Statistic], ...]:
        """The statistics that it is computed from."""

    @abstractmethod
    def of(self, images: ImageSet, sets: ImageSets) -> Value | None:
        """Its value for a set of images; None if the set lacks what it needs."""

    def shown(self, images: ImageSet, sets: ImageSets) -> Array | None:
        """Its value in its unit, as the table and the pictures show it; NaN where it was not measured well enough."""
        value = self.of(images, sets)
        return None if value is None else np.asarray(self.unit.scale * np.asarray(value), dtype=np.float64)

    def known(self, sets: ImageSets) -> bool:
        """Whether any set of images has the quantity."""
        return any(self.of(images, sets) is not None for images in sets.measured)

    def visible_rows(self, sets: ImageSets) -> Iterator[Row]:
        """The lines of the table that have something to say; none if no set of images has the quantity."""
        if self.known(sets):
            yield from self.rows

    def cell(self, row: Row, images: ImageSet, sets: ImageSets) -> str:
        """What the table says of a set of images; empty if the set lacks what the quantity needs."""
        value = self.shown(images, sets)
        return "" if value is None else self.unit.text(float(value[row.index]))

    def versus(self, row: Row, sets: ImageSets) -> str:
        """What the table says of the generated images against the real ones."""
        return ""

    def recorded(self, sets: ImageSets) -> Iterator[tuple[tuple[str, str], Value]]:
        """What the JSON holds: the object and the name in it, and the value."""
        for images in sets.columns:
            place, value = self.place(self.key, images, sets), self.of(images, sets)
            if place is not None and value is not None:
                yield place, value


@dataclass(frozen=True, kw_only=True, eq=False)
class Compared(Quantity):
    """A quantity whose generated value is compared with the real one.

    Attributes:
        comparison: how; None if they are not compared.
    """

    comparison: Comparison | None = None

    def versus(self, row: Row, sets: ImageSets) -> str:
        """The comparison of the generated value with the real one."""
        real, generated = self.shown(sets.real, sets), self.shown(sets.generated, sets)
        if self.comparison is None or real is None or generated is None:
            return ""
        compared = self.comparison.compare(generated[row.index], real[row.index])
        return self.comparison.text(float(compared), self.unit)

    def recorded(self, sets: ImageSets) -> Iterator[tuple[tuple[str, str], Value]]:
        """What the JSON holds of each set of images, and the comparison of generated with real."""
        yield from super().recorded(sets)
        real, generated = self.of(sets.real, sets), self.of(sets.generated, sets)
        if self.comparison is None or self.comparison.key is None or real is None or generated is None:
            return
        yield ("comparison", self.comparison.key), self.comparison.compare(np.asarray(generated), np.asarray(real))


@dataclass(frozen=True, kw_only=True, eq=False)
class Measure(Compared, Generic[S]):
    """A quantity that each set of images has by itself.

    Attributes:
        statistic: what it is computed from.
        value: the quantity of such a statistic.
        reliable: which values rest on enough pixels to be shown; None shows them all. The JSON holds all.
    """

    statistic: type[S]
    value: Callable[[S], Value]
    reliable: Callable[[S], NDArray[np.bool_]] | None = None
    place: Place = in_own_object

    @property
    def needs(self) -> tuple[type[Statistic], ...]:
        """The statistic that it is computed from."""
        return (self.statistic,)

    def of(self, images: ImageSet, sets: ImageSets) -> Value | None:
        """Its value for a set of images; None if the set lacks what it needs."""
        statistic = images.get(self.statistic)
        return None if statistic is None else self.value(statistic)

    def shown(self, images: ImageSet, sets: ImageSets) -> Array | None:
        """Its value in its unit; NaN where too few pixels were measured."""
        value, statistic = super().shown(images, sets), images.get(self.statistic)
        if self.reliable is None or value is None or statistic is None:
            return value
        return np.where(self.reliable(statistic), value, np.nan)

    def visible_rows(self, sets: ImageSets) -> Iterator[Row]:
        """The lines of the table that rest on enough pixels in a set of images."""
        statistics = [statistic for images in sets.measured if (statistic := images.get(self.statistic)) is not None]
        for row in self.rows:
            if any(self.reliable is None or self.reliable(statistic)[row.index] for statistic in statistics):
                yield row


@dataclass(frozen=True, kw_only=True, eq=False)
class Relative(Compared, Generic[S]):
    """A quantity of a set of images that the real images have a part in: their quintiles, their scenes.

    Attributes:
        statistic: what it is computed from, in both sets.
        value: the quantity, of the real set's statistic and the set's own (the real one's twice for the real set).
    """

    statistic: type[S]
    value: Callable[[S, S], Value]
    place: Place = in_own_object

    @property
    def needs(self) -> tuple[type[Statistic], ...]:
        """The statistic that it is computed from."""
        return (self.statistic,)

    def of(self, images: ImageSet, sets: ImageSets) -> Value | None:
        """Its value for a set of images; None if that set or the real one lacks what it needs."""
        real, own = sets.compared_with(images).get(self.statistic), images.get(self.statistic)
        return None if real is None or own is None else self.value(real, own)


@dataclass(frozen=True, kw_only=True, eq=False)
class Distance(Quantity, Generic[S]):
    """A quantity that says how far a set of images is from the real ones: 0 at best.

    Attributes:
        statistic: what it is computed from, in both sets.
        value: the quantity, of the real set's statistic and the other set's.
    """

    statistic: type[S]
    value: Callable[[S, S], Value]
    place: Place = among_comparisons

    @property
    def needs(self) -> tuple[type[Statistic], ...]:
        """The statistic that it is computed from."""
        return (self.statistic,)

    def of(self, images: ImageSet, sets: ImageSets) -> Value | None:
        """The distance of a set of images from the real one; None if either lacks what it needs."""
        real, other = sets.compared_with(images).get(self.statistic), images.get(self.statistic)
        return None if real is None or other is None else self.value(real, other)

    def cell(self, row: Row, images: ImageSet, sets: ImageSets) -> str:
        """What the table says of a set of images: the real ones are at distance 0 by definition."""
        return "0" if images is sets.real else super().cell(row, images, sets)


@dataclass(frozen=True, kw_only=True, eq=False)
class Share(Quantity):
    """A distance as a share of the white Gaussian's: below 1, a set is closer to the real one than white noise is.

    Attributes:
        distance: the distance that is divided.
    """

    distance: Distance[Any]
    place: Place = comparison_of_generated

    @property
    def needs(self) -> tuple[type[Statistic], ...]:
        """The statistic that the distance is computed from."""
        return self.distance.needs

    def of(self, images: ImageSet, sets: ImageSets) -> Value | None:
        """The share; NaN where white noise is at distance 0."""
        white = sets.baselines[0]
        if images is white:
            return 1.0
        value, whole = self.distance.of(images, sets), self.distance.of(white, sets)
        return None if value is None or whole is None else ratio(np.asarray(value), np.asarray(whole))

    def cell(self, row: Row, images: ImageSet, sets: ImageSets) -> str:
        """What the table says of a set of images: nothing of the real ones."""
        return "" if images is sets.real else super().cell(row, images, sets)
