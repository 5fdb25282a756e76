import math

import pytest
import torch

from flowkit import UniformDequantization


@pytest.mark.parametrize("bins", [1, 32, 256])
def test_noise_fills_one_step_around_the_value(bins: int) -> None:
    x = torch.rand(4, 3, 50, 50, dtype=torch.float64)
    v, _ = UniformDequantization(bins)(x, torch.Generator().manual_seed(0))
    steps = (v - x) * bins
    # 30000 uniform numbers leave gaps of a few 1e-4 at the ends.
    assert -0.5 <= steps.min() < -0.499
    assert 0.499 < steps.max() < 0.5
    # Five standard errors of mean and variance (1/12; its own standard error is sqrt(1/180 / n)).
    assert abs(steps.mean()) < 5 * math.sqrt(1 / 12 / 30000)
    assert abs(steps.var() - 1 / 12) < 5 * math.sqrt(1 / 180 / 30000)


@pytest.mark.parametrize("bins", [1, 32, 256])
def test_the_density_of_the_noise(bins: int) -> None:
    v, log_q = UniformDequantization(bins)(torch.rand(4, 3, 5, 7, dtype=torch.float64))
    assert v.dtype == log_q.dtype == torch.float64
    torch.testing.assert_close(log_q, torch.full((4,), 3 * 5 * 7 * math.log(bins), dtype=torch.float64))


def test_the_density_is_float32_at_least() -> None:
    v, log_q = UniformDequantization()(torch.rand(2, 3, 4, 4).bfloat16())
    assert v.dtype == torch.bfloat16
    assert log_q.dtype == torch.float32


def test_rounding_recovers_the_levels() -> None:
    levels = torch.arange(256.0, dtype=torch.float64).reshape(1, 1, 16, 16)
    # The middles of 256 steps of [0, 1].
    v, _ = UniformDequantization(256)((levels + 0.5) / 256)
    assert torch.equal((v * 256).floor(), levels)


def test_a_generator_makes_it_repeatable() -> None:
    x, dequantize = torch.rand(2, 3, 4, 4), UniformDequantization()
    state = torch.get_rng_state()
    first = dequantize(x, torch.Generator().manual_seed(0))[0]
    assert torch.equal(dequantize(x, torch.Generator().manual_seed(0))[0], first)
    assert not torch.equal(dequantize(x, torch.Generator().manual_seed(1))[0], first)
    assert torch.equal(torch.get_rng_state(), state)


@pytest.mark.parametrize("bins", [0, -1])
def test_too_few_levels_are_refused(bins: int) -> None:
    with pytest.raises(ValueError, match=f"bins is {bins}"):
        UniformDequantization(bins)


@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_one_density_for_each_sample(batch: tuple[int, ...]) -> None:
    for dequantize, event in ((UniformDequantization(8), (3, 4, 4)), (UniformDequantization(8, event_dims=1), (5,))):
        _, log_q = dequantize(torch.rand(*batch, *event))
        expected = torch.full(batch, math.prod(event) * math.log(8))
        torch.testing.assert_close(log_q, expected)


def test_vectors_taken_for_images_are_refused() -> None:
    with pytest.raises(ValueError, match=r"samples of 3 dimensions, got the shape \(2, 5\): set event_dims"):
        UniformDequantization()(torch.rand(2, 5))
