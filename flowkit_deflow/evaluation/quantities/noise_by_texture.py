"""How strong the noise is in smooth and in textured places."""

import numpy as np

from flowkit_deflow.evaluation.brightness_bins import enough_pixels
from flowkit_deflow.evaluation.comparison import Ratio
from flowkit_deflow.evaluation.noise_by_place import NoiseByPlace
from flowkit_deflow.evaluation.picture import Curves
from flowkit_deflow.evaluation.quantity import Relative, Row
from flowkit_deflow.evaluation.statistic import Array
from flowkit_deflow.evaluation.texture import TEXTURE_BINS
from flowkit_deflow.evaluation.unit import GREY_LEVELS

__all__ = ["NOISE_BY_TEXTURE"]

FIFTHS = 5


def _std_by_texture(real: NoiseByPlace, own: NoiseByPlace) -> Array:
    """The spread of the residual in the fifths of local contrast of the real images' clean partners."""
    fifth = TEXTURE_BINS.groups(real.pixels.sum(0), FIFTHS)
    member = fifth[:, None] == np.arange(FIFTHS)
    pixels, residual, squares = (
        sums.sum(-2) @ member.astype(np.float64) for sums in (own.pixels, own.residual, own.squares)
    )
    with np.errstate(divide="ignore", invalid="ignore"):
        variance = (squares / pixels - (residual / pixels) ** 2).mean(0)
    return np.where(enough_pixels(pixels), np.sqrt(variance.clip(0)), np.nan)


STD_BY_TEXTURE = Relative(
    key="texture_std",
    name="std at texture",
    unit=GREY_LEVELS,
    statistic=NoiseByPlace,
    value=_std_by_texture,
    comparison=Ratio("texture_std_ratio"),
    rows=tuple(Row(f", fifth {index + 1}{note}", (index,)) for index, note in enumerate((" (smooth)", "", "", "", ""))),
    picture=Curves(
        file="std_vs_texture.png",
        heading="Noise level against texture",
        title="Strength of the noise against texture",
        x=np.arange(1.0, FIFTHS + 1),
        xlabel="fifth of the real images' pixels by local contrast of the {reference} image",
        ylabel="std of {residual} [grey levels]",
        xlim=(0.8, FIFTHS + 0.2),
        xticks=range(1, FIFTHS + 1),
    ),
)
NOISE_BY_TEXTURE = (STD_BY_TEXTURE,)
