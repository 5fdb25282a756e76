import math

import numpy as np
import pytest
import torch
from torch import Tensor

from flowkit_deflow.evaluation.edges import steepest_nearby
from flowkit_deflow.evaluation.measurement import measure
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantities.noise_near_edges import NoiseNearEdges
from tests.flowkit_deflow.evaluation.residuals import SIDE, grey, white_noise


def step(height: float) -> Tensor:
    image = torch.full((3, SIDE, SIDE), 0.4, dtype=torch.float64)
    image[:, :, SIDE // 2 :] += height
    return image


def of(degraded: Tensor, clean: Tensor) -> NoiseNearEdges:
    return measure([Pair(degraded, clean)], [NoiseNearEdges])[NoiseNearEdges]


def test_near_is_within_three_pixels_of_the_gradient() -> None:
    slope = 255 * steepest_nearby(step(40 / 255))[SIDE // 2]
    # The gradient stands at the two pixels beside the step, half of its height; three further on each side are near.
    near = torch.arange(SIDE).sub(SIDE // 2 - 0.5).abs() < 4
    torch.testing.assert_close(slope, torch.where(near, 20.0, 0.0).double(), rtol=0, atol=1e-9)


def test_noise_near_edges_and_in_flat_places() -> None:
    clean = step(0.2)
    near = steepest_nearby(clean) > 0.01
    std = torch.where(near, 0.06, 0.02)
    noise = of(clean + std * white_noise(*clean.shape), clean)
    assert noise.share == pytest.approx(8 / SIDE)
    # 6144 values near the edge: an error of 0.9%.
    assert noise.edge_std == pytest.approx(0.06, rel=0.04)
    assert noise.flat_std == pytest.approx(0.02, rel=0.01)
    assert abs(noise.overshoot) < 5 * 0.06 / math.sqrt(6144)


def test_sharpening_overshoots_and_blur_undershoots() -> None:
    clean = step(0.2)
    detail = Pair(clean, clean).detail
    near = steepest_nearby(clean) > 0.01
    for gain in (0.5, -0.5):
        expected = gain * detail.abs()[:, near].mean()
        assert of(clean + gain * detail, clean).overshoot == pytest.approx(float(expected), rel=1e-9)


def test_an_offset_near_edges_is_a_bias() -> None:
    clean = step(0.2)
    near = steepest_nearby(clean) > 0.01
    noise = of(clean + torch.where(near, 0.03, 0.01), clean)
    assert noise.edge_bias == pytest.approx(0.02, rel=1e-6)  # the offsets are in single precision
    assert noise.edge_std == pytest.approx(0, abs=1e-8)


def test_without_edges_nothing_is_said_of_them() -> None:
    noise = of(grey(3, 32, 32) + 0.02 * white_noise(3, 32, 32), grey(3, 32, 32))
    assert noise.share == 0
    assert np.isnan([noise.edge_std, noise.edge_bias, noise.overshoot]).all()
    assert noise.flat_std == pytest.approx(0.02, rel=0.1)
