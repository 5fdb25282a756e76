import numpy as np
import torch

from flowkit_deflow.evaluation.divergence import conditional_kl
from flowkit_deflow.evaluation.measurement import measure
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantities.histogram import ResidualHistogram
from flowkit_deflow.evaluation.quantities.noise_by_brightness import NoiseByBrightness
from flowkit_deflow.evaluation.quantities.noise_level import Moments
from flowkit_deflow.evaluation.white_gaussian import white_gaussian
from tests.flowkit_deflow.evaluation.residuals import KINDS, kl_of_white, white_noise


def test_noise_that_grows_with_brightness_is_seen_in_the_bins() -> None:
    reference = torch.linspace(0, 1, 16 * 4096, dtype=torch.float64).view(1, 256, 256).expand(3, -1, -1)
    slope = 0.08
    result = measure([Pair(reference + slope * reference * white_noise(3, 256, 256), reference)], KINDS)
    edges = np.linspace(0, 1, 17)
    # The mean of (slope b)^2 over a bin from a to b is slope^2 (a^2 + a b + b^2) / 3.
    expected = slope * np.sqrt((edges[1:] ** 2 + edges[1:] * edges[:-1] + edges[:-1] ** 2) / 3)
    # 12288 values a bin: an error of 0.7%, in the first bin (very unequal variances) more.
    np.testing.assert_allclose(result[NoiseByBrightness].std, expected, rtol=0.04)
    np.testing.assert_allclose(result[NoiseByBrightness].pixels, 4096, atol=1)
    pixels = result[NoiseByBrightness].pixels
    white = white_gaussian(result[Moments], pixels)
    white_given = conditional_kl(result[ResidualHistogram].joint, white[ResidualHistogram].joint, pixels > 0)
    # Brightness tells much more than the pooled histogram does.
    assert white_given > 2 * kl_of_white(result) > 0
