"""Mixtures of logistics and normals: what they say, exact far out, invertible, and of different components."""

import pytest
import torch
from torch import Tensor
from zuko.transforms import GaussianizationTransform

from flowkit.transforms import DeepSigmoidal, LogisticMixture, NormalMixture, Transform
from flowkit.transforms.mixture import Components, components_of

DTYPE = torch.float64
MIXTURES = [LogisticMixture(3), DeepSigmoidal(3, 2), NormalMixture(3)]
every = pytest.mark.parametrize("mixture", MIXTURES, ids=lambda mixture: type(mixture).__name__)


def drawn(transform: Transform, count: int, dtype: torch.dtype = DTYPE, size: float = 2.0) -> tuple[Tensor, ...]:
    torch.manual_seed(0)
    return transform.constrain(size * torch.randn(count, transform.parameters_per_element, dtype=dtype))


def test_the_logistic_mixture_is_the_log_odds_of_one() -> None:
    transform = LogisticMixture(3)
    *mixture, log_scale, shift = parameters = drawn(transform, 50)
    x = 2 * torch.randn(50, dtype=DTYPE)
    weights, lines = mixture[0].exp(), Components(*mixture).lines(x)
    expected = torch.logit((weights * torch.sigmoid(lines)).sum(-1)) * log_scale.exp() + shift
    # The log-odds of a probability within 1e-5 of an end is good to 1e-11.
    torch.testing.assert_close(transform(x, parameters)[0], expected, rtol=1e-9, atol=1e-9)


def test_the_normal_mixture_agrees_with_zuko() -> None:
    torch.manual_seed(0)
    transform = NormalMixture(3)
    raw = torch.randn(50, 9, dtype=DTYPE)
    raw[:, :3] = 0  # weights are equal there
    _, log_slopes, shifts = parameters = transform.constrain(raw)
    x = torch.randn(50, dtype=DTYPE)
    expected = GaussianizationTransform(shifts, log_slopes)(x)
    # Theirs shrinks probabilities by a millionth.
    torch.testing.assert_close(transform(x, parameters)[0], expected, rtol=0, atol=3e-5)


@every
@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-11), (torch.float32, 1e-4)])
def test_it_comes_back_near_and_far(mixture: Transform, dtype: torch.dtype, tolerance: float) -> None:
    x = torch.cat([3 * torch.randn(1000, dtype=dtype), torch.tensor([-1e4, -300.0, 300.0, 1e4], dtype=dtype)])
    # Larger ones make steps, and between them plains so flat that values are rounded alike.
    parameters = drawn(mixture, len(x), dtype, size=0.5)
    y, log_derivative = mixture(x, parameters)
    back, log_back = mixture.inverse(y, parameters)
    assert float(((back - x).abs() / (1 + x.abs())).max()) < tolerance
    if dtype == torch.float64:
        torch.testing.assert_close(log_back, -log_derivative, rtol=0, atol=1e-7)


@every
def test_what_comes_back_has_the_value_however_steep_the_steps(mixture: Transform) -> None:
    y, parameters = 3 * torch.randn(1000, dtype=DTYPE), drawn(mixture, 1000)
    x, log_slope = mixture.inverse(y, parameters)
    # A number is rounded at 1e-16, which slopes up to e^10 make larger.
    errors = (mixture(x, parameters)[0] - y).abs() * log_slope.exp().clamp(max=1)
    assert float(errors.max()) < 1e-12


@every
def test_far_out_it_is_the_line_of_one_component(mixture: Transform) -> None:
    parameters = drawn(mixture, 7)
    far = torch.full((7,), 1e5, dtype=DTYPE)
    rise = mixture(far + 10, parameters)[0] - mixture(far, parameters)[0]
    # A normal's tails are straight up to a part of 1 / y^2, at y of 1e2 and more.
    torch.testing.assert_close(mixture(far, parameters)[1], (rise / 10).log(), rtol=0, atol=1e-4)


@every
def test_it_is_near_the_identity_where_raw_parameters_are_zero(mixture: Transform) -> None:
    x = torch.linspace(-2, 2, 41, dtype=DTYPE)
    y, log_derivative = mixture(x, mixture.constrain(torch.zeros(41, mixture.parameters_per_element, dtype=DTYPE)))
    assert float((y - x).abs().max()) < 0.2
    assert float(log_derivative.abs().max()) < 0.25


@every
def test_components_that_start_alike_would_stay_alike(mixture: Transform) -> None:
    raw = torch.zeros(mixture.parameters_per_element, dtype=DTYPE, requires_grad=True)
    y, log_derivative = mixture(torch.linspace(-2, 3, 11, dtype=DTYPE), mixture.constrain(raw))
    (gradient,) = torch.autograd.grad(y.square().sum() - log_derivative.sum(), raw)
    weights = gradient[:3]
    assert len({round(value, 6) for value in weights.tolist()}) == 3


def test_components_keep_the_variance_of_one() -> None:
    _, log_slopes, shifts = components_of(torch.zeros(15, dtype=DTYPE), variance=1.0)
    variance = (-2 * log_slopes).exp().mean() + (shifts / log_slopes.exp()).square().mean()
    torch.testing.assert_close(variance, torch.tensor(1.0, dtype=DTYPE))


def test_numbers_of_components_are_checked() -> None:
    with pytest.raises(ValueError, match="components is 0"):
        LogisticMixture(0)
    with pytest.raises(ValueError, match="components is 0"):
        NormalMixture(0)
    with pytest.raises(ValueError, match="units is 4 and layers is 0"):
        DeepSigmoidal(4, 0)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float64, 1e-12), (torch.float32, 2e-5)])
@pytest.mark.parametrize("direction", ["forward", "inverse"])
def test_normal_mixtures_are_the_same_by_probabilities_and_by_logarithms(
    direction: str, dtype: torch.dtype, tolerance: float
) -> None:
    """By logarithms under ``vmap``, where no number can be read; values and gradients."""
    transform = NormalMixture(3)
    parameters = tuple(part.requires_grad_() for part in drawn(transform, 200, dtype, size=0.5))
    x = (2 * torch.randn(200, dtype=dtype)).requires_grad_()
    function = getattr(transform, direction)
    fast = function(x, parameters)
    exact = torch.func.vmap(lambda x, *parameters: function(x, parameters))(x, *parameters)
    for found, expected in zip(fast, exact, strict=True):
        # Rounding of values of about 10, and of their gradients, sums of about 10 terms.
        torch.testing.assert_close(found, expected, rtol=tolerance, atol=tolerance)
        gradients = [torch.autograd.grad(y.sum(), (x, *parameters), retain_graph=True) for y in (found, expected)]
        for ours, theirs in zip(*gradients, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=30 * tolerance, atol=30 * tolerance)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_a_gap_between_normal_components_has_a_slope(dtype: torch.dtype) -> None:
    """There the density is smaller than any number, and its logarithm is not."""
    transform = NormalMixture(2)
    parameters = transform.constrain(torch.tensor([0.0, 0.0, 4.0, 4.0, -1.0, 1.0], dtype=dtype))
    y, log_slope = transform(torch.zeros(1, dtype=dtype), parameters)
    assert float(y) == pytest.approx(0, abs=1e-6)
    assert -1e4 < float(log_slope) < -500
    back, log_back = transform.inverse(y, parameters)
    # Every point of the gap is a root, and there is a slope at the one that was found.
    torch.testing.assert_close(transform(back, parameters)[0], y, rtol=0, atol=1e-6)
    assert bool(torch.isfinite(log_back))


@pytest.mark.parametrize("far", [False, True])
def test_derivatives_of_normal_mixtures(far: bool) -> None:
    transform = NormalMixture(3)
    raw = torch.randn(9, dtype=DTYPE, generator=torch.Generator().manual_seed(0)).mul(0.3).requires_grad_()
    x = torch.tensor([-60.0 if far else -2.0, 0.3], dtype=DTYPE, requires_grad=True)
    assert torch.autograd.gradcheck(lambda x, raw: transform(x, transform.constrain(raw)), (x, raw))
    if not far:  # There second differences of values of about 1e3 are rounding.
        assert torch.autograd.gradgradcheck(lambda x, raw: transform(x, transform.constrain(raw)), (x, raw))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("x", [-1e6, -1e4, 300.0, 1e3, 1e5])
def test_far_out_a_normal_mixture_has_the_slope_of_its_widest_component(x: float, dtype: torch.dtype) -> None:
    """Values, log-slopes, their gradients and the inverse, within some roundings."""
    transform = NormalMixture(4)
    raw = torch.randn(12, dtype=dtype, generator=torch.Generator().manual_seed(0)).requires_grad_()
    parameters = transform.constrain(raw)
    rounding = 30 * torch.finfo(dtype).eps
    given = torch.tensor([x], dtype=dtype, requires_grad=True)
    y, log_slope = transform(given, parameters)
    # log y' = log a + (m / x)^2 and less, of the component with the smallest slope a.
    torch.testing.assert_close(log_slope, parameters[1].min()[None], rtol=0, atol=rounding + 100 / x**2)
    (slope,) = torch.autograd.grad(y.sum(), given, retain_graph=True)
    torch.testing.assert_close(slope.log(), log_slope, rtol=0, atol=rounding)
    (curvature,) = torch.autograd.grad(log_slope.sum(), given, retain_graph=True)
    assert abs(float(curvature)) < 200 / abs(x) ** 3 + rounding
    assert bool(torch.autograd.grad(log_slope.sum(), raw, retain_graph=True)[0].isfinite().all())
    back, log_back = transform.inverse(y.detach(), parameters)
    torch.testing.assert_close(back, given.detach(), rtol=rounding, atol=0)
    torch.testing.assert_close(log_back, -log_slope, rtol=0, atol=rounding)
    assert bool(torch.autograd.grad(back.sum() + log_back.sum(), raw)[0].isfinite().all())
