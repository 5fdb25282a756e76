"""How strong the noise is in each band of spatial frequencies."""

import itertools

import numpy as np

from flowkit_deflow.evaluation.comparison import Ratio
from flowkit_deflow.evaluation.picture import Curves
from flowkit_deflow.evaluation.quantities.spectrum import FREQUENCIES, PowerSpectrum
from flowkit_deflow.evaluation.quantity import Measure, Row
from flowkit_deflow.evaluation.statistic import Array
from flowkit_deflow.evaluation.unit import GREY_LEVELS

__all__ = ["FREQUENCY_BANDS"]

# In rings of the spectrum, 1/64 cycles per pixel wide.
BAND_RINGS = (0, 2, 5, 10, 18, 32)
BANDS = tuple((low / 64, high / 64) for low, high in itertools.pairwise(BAND_RINGS))


def _amplitudes(spectrum: PowerSpectrum) -> Array:
    """The root of the mean power in each band: the standard deviation for white noise."""
    bands = itertools.pairwise(BAND_RINGS)
    # A ring of the plane of frequencies has an area in proportion to its radius.
    power = [np.average(spectrum.power[low:high], weights=FREQUENCIES[low:high]) for low, high in bands]
    return np.sqrt(power)


BAND_AMPLITUDE = Measure(
    key="band_amplitude",
    name="amplitude,",
    unit=GREY_LEVELS,
    statistic=PowerSpectrum,
    value=_amplitudes,
    comparison=Ratio("band_amplitude_ratio"),
    rows=tuple(Row(f" {low:.2f}..{high:.2f} cycles/px", (index,)) for index, (low, high) in enumerate(BANDS)),
    picture=Curves(
        file="band_amplitude.png",
        heading="Amplitude of the noise by frequency band",
        title="Amplitude in bands of spatial frequencies",
        x=np.array([(low + high) / 2 for low, high in BANDS]),
        xlabel="middle of the band [cycles per pixel]",
        ylabel="root mean power of {residual}\n(white noise: its std) [grey levels]",
        xlim=(0, 0.5),
    ),
)
FREQUENCY_BANDS = (BAND_AMPLITUDE,)
