"""The sets of images that are put side by side."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar, cast

from flowkit_deflow.evaluation.statistic import Statistic

__all__ = ["ImageSet", "ImageSets"]

S = TypeVar("S", bound=Statistic)


@dataclass(frozen=True, eq=False)
class ImageSet:
    """One column of the evaluation: a set of images, or a model of one.

    Attributes:
        key: its name in the JSON.
        name: its name in the table and in pictures.
        statistics: what is known of it, by kind; a kind may be missing.
        measured: true for images, false for a baseline that follows from a formula.
        counterpart: the set that it is compared with; None for the real one.
    """

    key: str
    name: str
    statistics: Mapping[type[Statistic], Statistic]
    measured: bool = True
    counterpart: "ImageSet | None" = None

    def get(self, kind: type[S]) -> S | None:
        """The statistic of a kind; None if the set has none."""
        return cast("S | None", self.statistics.get(cast("type[Any]", kind)))

    def __getitem__(self, kind: type[S]) -> S:
        statistic = self.get(kind)
        if statistic is None:
            raise KeyError(f"the {self.name} images have no {kind.__name__}; ask `get` where it may be missing")
        return statistic


@dataclass(frozen=True, eq=False)
class ImageSets:
    """The columns of an evaluation.

    Attributes:
        real: really degraded images, which all others are compared with.
        generated: the images that are judged.
        baselines: what they are to be better than; the first is the white Gaussian that distances are divided by.
    """

    real: ImageSet
    generated: ImageSet
    baselines: tuple[ImageSet, ...]

    @property
    def columns(self) -> tuple[ImageSet, ...]:
        """All sets, in the order of the table."""
        return (self.real, self.generated, *self.baselines)

    @property
    def measured(self) -> tuple[ImageSet, ...]:
        """The sets that consist of images."""
        return tuple(images for images in self.columns if images.measured)

    def compared_with(self, images: ImageSet) -> ImageSet:
        """The set that a set of images is compared with."""
        return self.real if images.counterpart is None else images.counterpart
