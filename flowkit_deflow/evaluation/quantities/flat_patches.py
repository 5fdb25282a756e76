"""The noise at flat places of the degraded images, without any clean image."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from flowkit_deflow.evaluation.by_image import by_image
from flowkit_deflow.evaluation.comparison import Difference, Ratio
from flowkit_deflow.evaluation.pair import CHANNELS, Pair
from flowkit_deflow.evaluation.picture import Curves
from flowkit_deflow.evaluation.quantities.channel_correlation import CHANNEL_PAIR_ROWS
from flowkit_deflow.evaluation.quantity import Measure, Row
from flowkit_deflow.evaluation.statistic import Array, Statistic, Sums
from flowkit_deflow.evaluation.unit import GREY_LEVELS
from flowkit_deflow.images.flat_patches import PATCH, QUIETEST, measure_flat_patches
from flowkit_deflow.images.noise_spectrum import NoiseSpectrum

__all__ = ["FLAT_CHROMA_STD", "FLAT_PATCHES", "FLAT_STD", "FlatPatchStd"]

FACTORS = (1, 2, 4, 8)


@dataclass(frozen=True, eq=False)
class FlatPatchStd(Statistic):
    """What varies in the flattest patches of the degraded images, mean of the quieter half of the scenes.

    `flowkit_deflow.images.flat_patches.FlatPatches` says how patches are chosen. What the picture itself has there is
    a part of it: it is for comparison with other images.

    Attributes:
        std: shape (4,), standard deviation in images downsampled by 1, 2, 4 and 8, in [0, 1] units. White noise
            loses about the factor, coarse noise next to nothing.
        covariance: shape (3, 3), of the channels at a pixel.
    """

    std: Array
    covariance: Array

    @property
    def chroma_std(self) -> float:
        """Standard deviation of the channels about their mean: colour noise."""
        return float(np.sqrt(max(self.covariance.trace() / CHANNELS - self.covariance.mean(), 0.0)))

    @property
    def correlation(self) -> Array:
        """Shape (3, 3): correlation between the channels at a pixel; NaN for a constant channel."""
        std = np.sqrt(self.covariance.diagonal())
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(self.covariance / np.outer(std, std))

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        """The covariance and the power at each frequency of one image, under its scene's name."""
        try:
            spectrum = measure_flat_patches([pair.degraded]).spectrum
        except ValueError:
            # The image is smaller than a patch, or over- and underexposed everywhere.
            return {}
        return {
            f"images {pair.scene}": torch.tensor(1.0, dtype=torch.float64),
            f"covariance {pair.scene}": spectrum.covariance.double(),
            f"power {pair.scene}": spectrum.channel_mean.double(),
        }

    @classmethod
    def from_sums(cls, sums: Sums) -> Self | None:
        """Average the quieter half of the scenes; None where no image had a patch."""
        if not sums:
            return None
        totals = by_image(sums)
        covariance, power = (
            torch.stack([total / totals["images"][scene] for scene, total in totals[name].items()])
            for name in ("covariance", "power")
        )
        loudness = covariance.diagonal(dim1=1, dim2=2).sum(1)
        quietest = loudness.argsort()[: max(1, round(QUIETEST * len(loudness)))]
        # Downsampling asks for the channels' mean alone: it stands for each of them.
        alike = power[quietest].mean(0).float() * torch.eye(CHANNELS)[:, :, None, None]
        spectrum = NoiseSpectrum(alike)
        return cls(
            std=np.array([spectrum.surviving_std(factor) for factor in FACTORS]),
            covariance=covariance[quietest].mean(0).numpy(),
        )


FLAT_STD = Measure(
    key="flat_patch_std",
    name="std in flat patches",
    unit=GREY_LEVELS,
    statistic=FlatPatchStd,
    value=lambda flat: flat.std,
    comparison=Ratio("flat_patch_std_ratio"),
    rows=tuple(Row(f", shrunk by {factor}" if factor > 1 else "", (index,)) for index, factor in enumerate(FACTORS)),
    picture=Curves(
        file="flat_patch_std.png",
        heading="Noise in flat patches, and what survives downsampling",
        title=f"Std in the flattest patches of {PATCH} x {PATCH} pixels",
        x=np.array(FACTORS, dtype=np.float64),
        xlabel="images are downsampled by",
        ylabel="std in flat patches [grey levels]",
        xlim=(0.5, FACTORS[-1] + 0.5),
        xticks=FACTORS,
    ),
)
FLAT_CHROMA_STD = Measure(
    key="flat_patch_chroma_std",
    name="  of the colour",
    unit=GREY_LEVELS,
    statistic=FlatPatchStd,
    value=lambda flat: flat.chroma_std,
    comparison=Ratio("flat_patch_chroma_std_ratio"),
)
FLAT_CORRELATION = Measure(
    key="flat_patch_correlation",
    name="  correlation",
    statistic=FlatPatchStd,
    value=lambda flat: flat.correlation,
    comparison=Difference("flat_patch_correlation_difference"),
    rows=CHANNEL_PAIR_ROWS,
)
FLAT_PATCHES = (FLAT_STD, FLAT_CHROMA_STD, FLAT_CORRELATION)
