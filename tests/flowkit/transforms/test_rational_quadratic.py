import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
import zuko
from nflows.transforms.splines.rational_quadratic import unconstrained_rational_quadratic_spline
from torch import Tensor

from flowkit import Elementwise, Injector
from flowkit.transforms.rational_quadratic import RationalQuadraticSpline

DTYPE = torch.float64


def raw_like(x: Tensor, spline: RationalQuadraticSpline, deviation: float = 1.0) -> Tensor:
    return deviation * torch.randn(*x.shape, spline.parameters_per_element, dtype=x.dtype)


def by_nflows(spline: RationalQuadraticSpline, x: Tensor, raw: Tensor, inverse: bool) -> tuple[Tensor, Tensor]:
    widths, heights, derivatives = raw.split([spline.bins, spline.bins, spline.bins - 1], -1)
    # There, a raw derivative of 0 is softplus(0).
    offset = math.log(math.expm1(1 - spline.min_derivative))
    result: Any = unconstrained_rational_quadratic_spline(
        x,
        widths,
        heights,
        derivatives + offset,
        inverse=inverse,
        tail_bound=spline.bound,
        min_bin_width=spline.min_width,
        min_bin_height=spline.min_height,
        min_derivative=spline.min_derivative,
    )
    return result


@pytest.mark.parametrize("inverse", [False, True], ids=["forward", "inverse"])
@pytest.mark.parametrize(
    "spline",
    [
        RationalQuadraticSpline(),
        RationalQuadraticSpline(2, 1.0),
        RationalQuadraticSpline(5, 10.0, 0.1, 0.02, 0.3),
        RationalQuadraticSpline(16, 0.5),
    ],
    ids=["default", "two_bins", "large_minima", "many_bins"],
)
def test_it_agrees_with_nflows(spline: RationalQuadraticSpline, inverse: bool) -> None:
    torch.manual_seed(spline.bins)
    x = spline.bound / 2 * torch.randn(20, 31, dtype=DTYPE)
    raw = raw_like(x, spline)
    parameters = spline.constrain(raw)
    got = spline.inverse(x, parameters) if inverse else spline(x, parameters)
    expected = by_nflows(spline, x, raw, inverse)
    # The same knots by other roundings, 1e-16, and inverse slopes up to 1e4 at these parameters.
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("deviation", [1.0, 30.0])
def test_bounded_it_agrees_with_zuko(deviation: float) -> None:
    torch.manual_seed(0)
    # zuko has no smallest share: next to none here.
    spline = RationalQuadraticSpline(6, 4.0, 1e-12, 1e-12, max_ratio=1000.0)
    x = 2 * torch.randn(200, 3, dtype=DTYPE)
    raw = raw_like(x, spline, deviation)
    widths, heights, log_derivatives = raw.split([6, 6, 5], -1)
    theirs = zuko.transforms.MonotonicRQSTransform(widths, heights, log_derivatives, bound=4.0, slope=1e-3)
    # The shares' 1e-12, and slopes up to 1e3 at the larger deviation.
    torch.testing.assert_close(spline(x, spline.constrain(raw)), theirs.call_and_ladj(x), rtol=1e-8, atol=1e-8)


def test_the_identity_at_zero() -> None:
    spline = RationalQuadraticSpline()
    x = 2 * torch.randn(1000, dtype=DTYPE)
    parameters = spline.constrain(torch.zeros(1000, 23, dtype=DTYPE))
    for direction in (spline.forward, spline.inverse):
        y, log_derivative = direction(x, parameters)
        torch.testing.assert_close(y, x, rtol=0, atol=1e-14)
        torch.testing.assert_close(log_derivative, torch.zeros_like(x), rtol=0, atol=1e-14)


def test_knots_and_derivatives_are_met() -> None:
    spline = RationalQuadraticSpline(4, 2.0)
    knots_x, knots_y, raw = spline.constrain(torch.randn(11, dtype=DTYPE))
    assert knots_x.shape == knots_y.shape == raw.shape == (3,)
    derivatives = torch.log(1 + (raw + math.log(math.expm1(1 - 1e-3))).exp()) + 1e-3
    for side in (-1e-9, 0.0, 1e-9):
        at = [p.expand(3, 3) for p in (knots_x, knots_y, raw)]
        y, log_derivative = spline(knots_x + side, tuple(at))
        # The derivative is continuous, its slope less than some 1e2: a step of 1e-9 moves it by less than 1e-6.
        torch.testing.assert_close(y, knots_y, rtol=0, atol=1e-7)
        torch.testing.assert_close(log_derivative, derivatives.log(), rtol=0, atol=1e-6)


def test_bins_are_never_smaller_than_the_least() -> None:
    spline = RationalQuadraticSpline(4, 2.0, min_width=0.1, min_height=0.2)
    raw = torch.tensor([1e4, 0.0, -1e4, 0.0, -1e4, 0.0, 1e4, 0.0, 0.0, 0.0, 0.0], dtype=DTYPE)
    for knots, least in zip(spline.constrain(raw)[:2], (0.1, 0.2), strict=True):
        ends = torch.cat([torch.tensor([-2.0]), knots, torch.tensor([2.0])])
        shares = ends.diff() / 4
        torch.testing.assert_close(shares.min().item(), least)
        torch.testing.assert_close(shares.max().item(), 1 - 3 * least)


def test_outside_it_is_the_identity() -> None:
    spline = RationalQuadraticSpline(bound=2.0)
    x = torch.tensor([-1e30, -5.0, -2.0, 2.0, 7.0, 1e30], dtype=DTYPE)
    parameters = spline.constrain(raw_like(x, spline))
    for direction in (spline.forward, spline.inverse):
        y, log_derivative = direction(x, parameters)
        assert torch.equal(y, x)
        assert torch.equal(log_derivative, torch.zeros_like(x))


def test_it_is_increasing_and_smooth_over_the_ends() -> None:
    torch.manual_seed(0)
    spline = RationalQuadraticSpline()
    x = torch.linspace(-3.5, 3.5, 20001, dtype=DTYPE)
    raw = raw_like(x[:1], spline).expand(len(x), -1)
    y, log_derivative = spline(x, spline.constrain(raw))
    assert (y.diff() > 0).all()
    quotient = y.diff() / x.diff()
    middle = (log_derivative[1:].exp() + log_derivative[:-1].exp()) / 2
    # The trapezoidal rule at steps of 3.5e-4, second derivatives up to some 1e2.
    torch.testing.assert_close(quotient, middle, rtol=0, atol=3e-2)


@pytest.mark.parametrize("deviation", [0.3, 1.0])
def test_float32_comes_back(deviation: float) -> None:
    torch.manual_seed(0)
    spline = RationalQuadraticSpline()
    x = 1.5 * torch.randn(100_000)
    parameters = spline.constrain(raw_like(x, spline, deviation))
    y, log_derivative = spline(x, parameters)
    back, log_back = spline.inverse(y, parameters)
    error = (back - x).abs()
    # y is rounded at 2e-7 (it is up to 3); where the slope is 1e-2, as in one of a hundred draws of the wider kind,
    # that comes back as 2e-5.
    assert error.quantile(0.98) < 1e-5
    assert error.median() < 1e-6
    # Everywhere: no more than a few roundings of y, divided by the slope.
    assert (error * log_derivative.exp().clamp_max(1)).max() < 1e-6
    assert (log_derivative + log_back).abs().quantile(0.98) < 3e-5


def test_float32_log_derivatives_are_those_of_float64() -> None:
    torch.manual_seed(0)
    spline = RationalQuadraticSpline()
    x = 1.5 * torch.randn(100_000)
    raw = raw_like(x, spline, 0.5)
    # Half of the values within float32's rounding of a knot, where a bin's ends are told apart or not.
    knots = spline.constrain(raw)[0]
    x[::2] = knots[::2, 3] * (1 + 1e-7 * torch.randn(50_000))
    single = spline(x, spline.constrain(raw))[1]
    double = spline(x.double(), spline.constrain(raw.double()))[1]
    # The knots are rounded at 2e-7, the log-derivative changes by some 10 per unit, in the narrowest bins by 1e3.
    error = (single - double).abs()
    assert error.quantile(0.99) < 2e-5
    assert error.max() < 1e-3


@pytest.mark.parametrize("inverse", [False, True], ids=["forward", "inverse"])
def test_gradients(inverse: bool) -> None:
    torch.manual_seed(0)
    spline = RationalQuadraticSpline(bins=3, bound=2.0)
    # In bins, in both tails, and at the middle of a bin of the identity, where the inverse changes its formula.
    x = torch.tensor([-2.5, -1.2, 0.0, 0.7, 1.9, 3.0], dtype=DTYPE, requires_grad=True)
    raw = raw_like(x, spline)
    raw[2] = 0

    def function(x: Tensor, raw: Tensor) -> tuple[Tensor, Tensor]:
        parameters = spline.constrain(raw)
        return spline.inverse(x, parameters) if inverse else spline(x, parameters)

    assert torch.autograd.gradcheck(function, (x, raw.requires_grad_()))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_no_gradient_is_nan_where_the_identity_is_taken(dtype: torch.dtype) -> None:
    spline = RationalQuadraticSpline()
    x = torch.tensor([-math.inf, -1e30, -3.0, 3.0, 1e30, math.inf], dtype=dtype, requires_grad=True)
    raw = (10 * raw_like(x, spline)).detach().requires_grad_()
    for direction in (spline.forward, spline.inverse):
        y, log_derivative = direction(x, spline.constrain(raw))
        gradients = torch.autograd.grad(y.sum() + log_derivative.sum(), (x, raw))
        assert torch.equal(gradients[0], torch.ones_like(x))
        assert torch.equal(gradients[1], torch.zeros_like(raw))


def test_not_a_number_stays_one() -> None:
    spline = RationalQuadraticSpline()
    x = torch.tensor([math.nan])
    assert spline(x, spline.constrain(torch.zeros(1, 23)))[0].isnan().all()


@pytest.mark.parametrize("deviation", [30.0, 1e4])
def test_wild_parameters_give_finite_numbers(deviation: float) -> None:
    torch.manual_seed(0)
    spline = RationalQuadraticSpline()
    x = torch.linspace(-4, 4, 2001)
    parameters = spline.constrain(raw_like(x, spline, deviation))
    for direction in (spline.forward, spline.inverse):
        result, log_derivative = direction(x, parameters)
        assert result.isfinite().all()
        assert log_derivative.isfinite().all()


@pytest.mark.parametrize("half", [torch.float16, torch.bfloat16], ids=str)
def test_parameters_leave_half_precision(half: torch.dtype) -> None:
    spline = RationalQuadraticSpline()
    raw = torch.randn(5, 23).to(half)
    for got, expected in zip(spline.constrain(raw), spline.constrain(raw.float()), strict=True):
        assert got.dtype == torch.float32
        assert torch.equal(got, expected)
    y, log_derivative = spline(torch.randn(5).to(half), spline.constrain(raw))
    assert y.dtype == log_derivative.dtype == torch.float32


def test_parameters_broadcast() -> None:
    torch.manual_seed(0)
    spline = RationalQuadraticSpline(4)
    x = torch.randn(5, 3, dtype=DTYPE)
    raw = torch.randn(3, 11, dtype=DTYPE)
    for direction in (spline.forward, spline.inverse):
        torch.testing.assert_close(
            direction(x, spline.constrain(raw)), direction(x, spline.constrain(raw.expand(5, 3, 11)))
        )


def test_parameters_of_too_many_samples_are_refused() -> None:
    layer = Injector(3, torch.nn.Linear(2, 33), RationalQuadraticSpline(4), event_dims=1)
    with pytest.raises(ValueError, match=r"1 rows of data and a context of shape \(4, 2\) do not fit"):
        layer(torch.zeros(1, 3), torch.ones(4, 2))


@pytest.mark.parametrize("way", ["forward", "inverse"])
def test_it_compiles_and_maps(way: str) -> None:
    torch.manual_seed(0)
    layer = Elementwise(RationalQuadraticSpline(5), (3,)).double()
    torch.nn.init.normal_(layer.raw)
    x = 2 * torch.randn(4, 3, dtype=DTYPE)
    call: Callable[..., Any] = getattr(layer, way)
    compiled: Any = torch.compile(call, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(x), call(x))
    torch.testing.assert_close(torch.func.vmap(call)(x), call(x))
    # Parameters may be mapped as well, and gradients taken within.
    raws = torch.randn(2, 3, 14, dtype=DTYPE)

    def of(raw: Tensor) -> Tensor:
        result, log_derivative = getattr(layer.transform, way)(x, layer.transform.constrain(raw))
        return (result + log_derivative).sum()

    mapped = torch.func.vmap(torch.func.grad(of))(raws)
    torch.testing.assert_close(mapped, torch.stack([torch.func.grad(of)(raw) for raw in raws]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"bins": 1}, "bins is 1"),
        ({"bound": 0.0}, r"bound is 0\.0"),
        ({"bound": math.inf}, "bound is inf"),
        ({"min_width": 0.0}, r"min_width is 0\.0"),
        ({"min_height": 0.125}, r"min_height is 0\.125; with 8 bins it must lie in \(0, 0\.125\)"),
        ({"min_derivative": 1.0}, r"min_derivative is 1\.0"),
        ({"min_derivative": 0.0}, r"min_derivative is 0\.0"),
    ],
)
def test_settings_out_of_range_are_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        RationalQuadraticSpline(**settings)
