import math

import numpy as np
import pytest
import torch

from flowkit_deflow.evaluation.divergence import conditional_kl, kl_divergence
from flowkit_deflow.evaluation.measurement import measure
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantities.histogram import ResidualHistogram, shared_brightness
from flowkit_deflow.evaluation.residual_bins import RESIDUAL_BINS
from tests.flowkit_deflow.evaluation.residuals import SIDE, measured, white_noise


def test_eight_bit_residuals_fall_into_the_middle_of_their_bins() -> None:
    levels = torch.arange(256, dtype=torch.float32)
    degraded, reference = (x.expand(3, 256, 256) / 255 for x in (levels, levels[:, None]))
    images = measure([Pair(degraded.contiguous(), reference.contiguous())], [ResidualHistogram])
    histogram = images[ResidualHistogram].counts[0]
    # A difference of d grey levels occurs for 256 - |d| pairs; the end bins take all beyond as well.
    expected = 256 - np.abs(np.arange(RESIDUAL_BINS) - 127)
    assert histogram.sum() == 256 * 256
    np.testing.assert_array_equal(histogram[1:-1], expected[1:-1])
    assert histogram[0] == histogram[-1] == sum(range(1, 130))


def test_kl_of_samples_is_close_to_the_known_one() -> None:
    p, q = (measured(std * white_noise(3, SIDE, SIDE, seed=i)) for i, std in enumerate((0.04, 0.05)))
    known = math.log(1.25) + 0.5 / 1.25**2 - 0.5
    # About 100 occupied bins of 65536 pixels: a bias of 0.0015.
    assert kl_divergence(p[ResidualHistogram].counts, q[ResidualHistogram].counts) == pytest.approx(known, abs=0.004)


def test_conditional_kl_sees_what_the_pooled_histogram_hides() -> None:
    reference = torch.linspace(0.2, 0.8, 256, dtype=torch.float64).expand(3, 256, 256)
    noise = white_noise(3, 256, 256)
    rising = Pair(reference + 0.06 * reference * noise, reference)
    falling = Pair(reference + 0.06 * (1 - reference) * noise.flip(1), reference)
    p, q = (measure([pair], [ResidualHistogram])[ResidualHistogram] for pair in (rising, falling))
    bins = shared_brightness(p, q)
    assert kl_divergence(p.counts, q.counts) < 0.01
    assert conditional_kl(p.joint, q.joint, bins) > 0.2
    assert conditional_kl(p.joint, p.joint, bins) == 0


def test_brightness_is_shared_where_both_sets_have_enough_pixels() -> None:
    middle, dark, few_dark = (
        torch.full(shape, value) for shape, value in (((3, 20, 20), 0.5), ((3, 20, 20), 0.1), ((3, 9, 11), 0.1))
    )
    first, second = (
        measure([Pair(image, image) for image in images], [ResidualHistogram])[ResidualHistogram]
        for images in ((middle, few_dark), (middle, dark))
    )
    assert np.flatnonzero(shared_brightness(first, second)).tolist() == [8]
