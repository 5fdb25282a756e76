"""How the noise's power is spread over spatial frequencies."""

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch

from flowkit_deflow.evaluation.pair import CHANNELS, Pair
from flowkit_deflow.evaluation.picture import Curves
from flowkit_deflow.evaluation.quantity import Measure
from flowkit_deflow.evaluation.statistic import Array, Statistic, Sums
from flowkit_deflow.evaluation.unit import SQUARED_GREY_LEVELS

__all__ = ["FREQUENCIES", "SPECTRUM", "PowerSpectrum"]

SPECTRUM_BINS = 32
PATCH = 64
SMALLEST_PATCH = 16
FREQUENCIES: Array = (np.arange(SPECTRUM_BINS) + 0.5) / (2 * SPECTRUM_BINS)


@dataclass(frozen=True, eq=False)
class PowerSpectrum(Statistic):
    """The residual's radially averaged power at `FREQUENCIES` (0 to 0.5 cycles per pixel).

    Attributes:
        power: shape (32,), in squared [0, 1] units. The mean over all frequencies of the plane is the variance, so
            white noise is flat at its variance. From Hann-windowed 64 x 64 patches side by side (smaller ones in an
            image whose shorter side is 16 to 63); images with a side under 16 are left out; NaN where nothing was
            measured.
    """

    power: Array

    @classmethod
    def sums(cls, pair: Pair) -> Sums:
        """The power in each ring of frequencies, and how many values it is the sum of."""
        centred = pair.centred
        size = min(PATCH, *centred.shape[1:])
        if size < SMALLEST_PATCH:
            nothing = torch.zeros(SPECTRUM_BINS, dtype=torch.float64)
            return {"power": nothing, "values": nothing}
        rows, columns = centred.shape[1] // size, centred.shape[2] // size
        hann = torch.hann_window(size, dtype=torch.float64)
        window = torch.outer(hann, hann)
        power = torch.zeros(size, size, dtype=torch.float64)
        for row in range(rows):
            strip = centred[:, row * size : (row + 1) * size, : columns * size]
            patches = strip.reshape(CHANNELS, size, columns, size).transpose(1, 2)
            power += torch.fft.fft2(patches * window).abs().square().sum((0, 1))
        # By Parseval's theorem this makes the mean over all frequencies the variance.
        power /= window.square().sum()
        frequency = torch.fft.fftfreq(size, dtype=torch.float64)
        radius = torch.hypot(frequency[:, None], frequency[None, :])
        measured = radius <= 0.5
        rings = (radius[measured] * 2 * SPECTRUM_BINS).long().clamp(max=SPECTRUM_BINS - 1)
        return {
            "power": torch.bincount(rings, power[measured], SPECTRUM_BINS),
            "values": CHANNELS * rows * columns * torch.bincount(rings, minlength=SPECTRUM_BINS).double(),
        }

    @classmethod
    def from_sums(cls, sums: Sums) -> Self:
        """Normalise the sums."""
        return cls((sums["power"] / sums["values"]).numpy())


POWER = Measure(
    key="spectrum",
    unit=SQUARED_GREY_LEVELS,
    statistic=PowerSpectrum,
    value=lambda spectrum: spectrum.power,
    rows=(),
    picture=Curves(
        file="spectrum.png",
        heading="Power spectrum of the noise",
        title="Radially averaged power spectrum\n{residual}",
        x=FREQUENCIES,
        xlabel="spatial frequency [cycles per pixel]",
        ylabel="power (mean over frequencies: variance)\n[squared grey levels]",
        xlim=(0, 0.5),
        logarithmic=True,
    ),
)
SPECTRUM = (POWER,)
