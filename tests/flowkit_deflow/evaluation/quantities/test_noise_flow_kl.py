import numpy as np
import pytest
import torch

from flowkit_deflow.evaluation.measurement import measure
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantities.noise_flow_kl import CoarseImageHistograms, noise_flow_kl
from tests.flowkit_deflow.evaluation.residuals import SIDE, grey, white_noise


def of(*noise: torch.Tensor) -> CoarseImageHistograms:
    pairs = [Pair(grey(*values.shape) + values, grey(*values.shape), str(index)) for index, values in enumerate(noise)]
    return measure(pairs, [CoarseImageHistograms])[CoarseImageHistograms]


def test_the_bins_are_the_papers() -> None:
    residual = torch.tensor([-0.4, -0.0999, 0.0001, 0.0999, 0.4], dtype=torch.float64).expand(3, 2, 5)
    counts = of(residual).counts["0"]
    assert len(counts) == 66
    assert np.flatnonzero(counts).tolist() == [0, 1, 33, 64, 65]
    assert counts.sum() == 30


def test_the_divergence_is_the_gaussians_in_the_mean_over_images() -> None:
    real = of(*(0.02 * white_noise(3, SIDE, SIDE, seed=seed) for seed in range(2)))
    other = of(0.02 * white_noise(3, SIDE, SIDE, seed=2), 0.03 * white_noise(3, SIDE, SIDE, seed=3))
    # KL of Gaussians of 0.02 and 0.03, and next to nothing for the first image.
    known = (np.log(1.5) + 0.5 / 1.5**2 - 0.5) / 2
    assert noise_flow_kl(real, other) == pytest.approx(known, rel=0.03)


def test_a_bin_that_one_side_left_empty_costs_nothing() -> None:
    real = CoarseImageHistograms({"a": np.array([1.0, 1.0, 0.0])})
    other = CoarseImageHistograms({"a": np.array([0.0, 1.0, 3.0])})
    assert noise_flow_kl(real, other) == pytest.approx(0.5 * np.log(0.5 / 0.25))
