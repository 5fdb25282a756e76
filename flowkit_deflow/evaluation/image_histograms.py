"""The histogram of each image's residual."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import torch

from flowkit_deflow.evaluation.brightness_bins import BRIGHTNESS_BINS
from flowkit_deflow.evaluation.by_image import by_image, of_image, shared_images
from flowkit_deflow.evaluation.noise_by_place import PLACES, place_bins
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.residual_bins import RESIDUAL_BINS, residual_bins
from flowkit_deflow.evaluation.statistic import Array, Statistic, Sums
from flowkit_deflow.evaluation.texture import TEXTURE_BINS

__all__ = ["TEXTURE_CLASSES", "ImageHistograms"]

TEXTURE_CLASSES = TEXTURE_BINS.octaves


@dataclass(frozen=True, eq=False)
class ImageHistograms(Statistic):
    """Pixel counts over the residual for each clean image that both sets show; its samples count together.

    Attributes:
        images: how many images there are of each clean image.
        counts: shape (3, 255) for each: pixels over channel and residual.
        places: shape (16, 8) for each: pixels over brightness and texture (octaves of local contrast).
    """

    images: Mapping[str, float]
    counts: Mapping[str, Array]
    places: Mapping[str, Array]

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        """The counts of one image."""
        if pair.clean is None:
            return {}
        counts = [torch.bincount(bins, minlength=RESIDUAL_BINS) for bins in residual_bins(pair.residual.flatten(1))]
        fine = torch.bincount(place_bins(pair), minlength=PLACES)
        return of_image(
            pair,
            {
                "images": torch.tensor(1.0, dtype=torch.float64),
                "counts": torch.stack(counts).double(),
                "places": fine.view(BRIGHTNESS_BINS, TEXTURE_CLASSES, TEXTURE_BINS.per_octave).sum(-1).double(),
            },
        )

    @classmethod
    def from_sums(cls, sums: Sums) -> Self | None:
        """The counts as they are; None where no clean image is shared."""
        if not sums:
            return None
        totals = by_image(sums)
        return cls(
            images={clean: float(number) for clean, number in totals["images"].items()},
            counts={clean: counts.numpy() for clean, counts in totals["counts"].items()},
            places={clean: pixels.numpy() for clean, pixels in totals["places"].items()},
        )

    def matched(self, other: Self | None) -> Self | None:
        """The clean images that the other set has as well; None if there are none."""
        theirs = {} if other is None else other.images
        images = shared_images(self.images, theirs)
        if not images:
            return None
        return type(self)(images, shared_images(self.counts, theirs), shared_images(self.places, theirs))
