import math
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from flowkit.bijectors.probes import rademacher
from flowkit.bijectors.residual_log_det import (
    ExactLogDet,
    LogDetEstimate,
    PowerSeriesLogDet,
    ResidualLogDet,
    RussianRouletteLogDet,
)

FEATURES = 3
DRAWS = 2000


def matrix_of_norm(norm: float, seed: int = 0) -> Tensor:
    """Not symmetric, so that a transpose shows."""
    matrix = torch.randn(FEATURES, FEATURES, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return matrix * (norm / torch.linalg.matrix_norm(matrix, 2))


def linear(matrix: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: x @ matrix.T


def bent(matrix: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda x: torch.tanh(x @ matrix.T)


POINTS = torch.linspace(-1, 1, 2 * FEATURES, dtype=torch.float64).reshape(2, FEATURES)


def exact(matrix: Tensor) -> Tensor:
    return torch.linalg.slogdet(torch.eye(FEATURES, dtype=torch.float64) + matrix).logabsdet


# --- exact ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "strategy", [ExactLogDet(), PowerSeriesLogDet(3), RussianRouletteLogDet()], ids=lambda s: type(s).__name__
)
def test_the_value_is_the_functions(strategy: ResidualLogDet) -> None:
    function = bent(matrix_of_norm(0.6))
    value, log_det = strategy(function, POINTS)
    assert torch.equal(value, function(POINTS))
    assert log_det.shape == (2,)
    assert log_det.dtype == torch.float64


def test_the_exact_one_is_the_determinants() -> None:
    matrix = matrix_of_norm(0.8)
    _, log_det = ExactLogDet()(linear(matrix), POINTS)
    torch.testing.assert_close(log_det, exact(matrix).expand(2))


def test_events_of_several_dimensions() -> None:
    matrix = matrix_of_norm(0.8)
    images = POINTS.reshape(2, FEATURES, 1, 1)
    _, log_det = ExactLogDet()(lambda x: (x.flatten(-3) @ matrix.T).reshape(x.shape), images, event_dims=3)
    torch.testing.assert_close(log_det, exact(matrix).expand(2))
    torch.manual_seed(0)
    estimate = RussianRouletteLogDet(0.8).estimate(
        lambda x: (x.flatten(-3) @ matrix.T).reshape(x.shape), images, event_dims=3, draws=500
    )
    assert estimate.mean.shape == (2,)
    assert ((estimate.mean - exact(matrix)).abs() < 4 * estimate.standard_error).all()


# --- truncated ------------------------------------------------------------------------------------------------------


def test_the_power_series_is_cut_where_it_says() -> None:
    matrix = matrix_of_norm(0.8)
    third = matrix.trace() - (matrix @ matrix).trace() / 2 + (matrix @ matrix @ matrix).trace() / 3
    torch.testing.assert_close(PowerSeriesLogDet(3)(linear(matrix), POINTS)[1], third.expand(2))
    torch.testing.assert_close(PowerSeriesLogDet(1)(linear(matrix), POINTS)[1], matrix.trace().expand(2))


@pytest.mark.parametrize("terms", [1, 2, 5, 20])
def test_what_the_power_series_leaves_out_is_bounded(terms: int) -> None:
    norm = 0.9
    # The worst case has all eigenvalues at the negative end: nothing cancels.
    matrix = -norm * torch.eye(FEATURES, dtype=torch.float64)
    bias = (PowerSeriesLogDet(terms)(linear(matrix), POINTS)[1] - exact(matrix)).abs()
    bound = FEATURES * norm ** (terms + 1) / ((terms + 1) * (1 - norm))
    assert (bias < bound).all()
    assert (bias > bound / 10).all()


# --- unbiased -------------------------------------------------------------------------------------------------------


def exact_variance(matrix: Tensor, continuation: float, exact_terms: int) -> float:
    """The variance of one draw with random signs, from the matrix: over lengths and, for each, over the signs.

    Of v^T A v the signs' variance is twice the sum of the squares off the diagonal of A's symmetric part.
    """
    mean = second = torch.zeros((), dtype=torch.float64)
    power, series = torch.eye(FEATURES, dtype=torch.float64), torch.zeros_like(matrix)
    for k in range(1, 400):
        power = power @ matrix
        series = series + (-1) ** (k + 1) / k * continuation ** -max(0, k - exact_terms) * power
        if k < exact_terms:
            continue
        ends_here = continuation ** (k - exact_terms) * (1 - continuation)
        symmetric = (series + series.T) / 2
        of_signs = 2 * (symmetric - symmetric.diagonal().diag()).square().sum()
        mean = mean + ends_here * series.trace()
        second = second + ends_here * (of_signs + series.trace() ** 2)
    # The formula itself is unbiased: the mean over all lengths is the whole series.
    torch.testing.assert_close(mean, exact(matrix))
    return (second - mean**2).item()


SETTINGS = pytest.mark.parametrize(
    ("norm", "continuation", "exact_terms"), [(0.5, 0.5, 2), (0.6, 0.6, 1), (0.9, 0.85, 3)], ids=str
)


@SETTINGS
def test_the_roulette_is_unbiased_and_states_its_variance(norm: float, continuation: float, exact_terms: int) -> None:
    torch.manual_seed(0)
    matrix = matrix_of_norm(norm)
    strategy = RussianRouletteLogDet(continuation, exact_terms)
    estimate = strategy.estimate(linear(matrix), POINTS, draws=DRAWS)
    expected = exact_variance(matrix, continuation, exact_terms)
    # Four standard errors: a correct estimator fails once in 16000, and the seed is fixed.
    assert ((estimate.mean - exact(matrix)).abs() < 4 * estimate.standard_error).all()
    # The spread of 2000 draws, whose tails are long, is known to some tenths.
    torch.testing.assert_close(DRAWS * estimate.variance, torch.full((2,), expected).double(), rtol=0.25, atol=0)


def test_the_roulette_finds_what_a_cut_misses() -> None:
    torch.manual_seed(0)
    matrix = -0.7 * torch.eye(FEATURES, dtype=torch.float64)
    estimate = RussianRouletteLogDet(0.8, exact_terms=2).estimate(linear(matrix), POINTS, draws=1000)
    cut = PowerSeriesLogDet(2)(linear(matrix), POINTS)[1]
    assert ((estimate.mean - exact(matrix)).abs() < 4 * estimate.standard_error).all()
    assert ((cut - exact(matrix)).abs() > 10 * estimate.standard_error).all()


def test_calls_scatter_as_the_statement_says() -> None:
    torch.manual_seed(0)
    function = bent(matrix_of_norm(0.6))
    several = RussianRouletteLogDet(0.7, draws=10)
    calls = torch.stack([several(function, POINTS)[1] for _ in range(300)])
    stated = torch.stack([several.estimate(function, POINTS, draws=10).variance for _ in range(300)]).mean(0)
    truth = ExactLogDet()(function, POINTS)[1]
    assert ((calls.mean(0) - truth).abs() < 4 * (stated / 300).sqrt()).all()
    # Both variances are of 300 numbers: their ratio is good to 10 %.
    torch.testing.assert_close(calls.var(0), stated, rtol=0.4, atol=0)


def test_gaussian_probes_are_unbiased_too() -> None:
    torch.manual_seed(0)
    matrix = matrix_of_norm(0.6)
    estimate = RussianRouletteLogDet(probe=torch.randn_like).estimate(linear(matrix), POINTS, draws=DRAWS)
    assert ((estimate.mean - exact(matrix)).abs() < 4 * estimate.standard_error).all()
    signs = RussianRouletteLogDet(probe=rademacher).estimate(linear(matrix), POINTS, draws=DRAWS)
    assert (signs.variance < estimate.variance).all()


def test_the_gradient_is_unbiased() -> None:
    torch.manual_seed(0)
    matrix, points = matrix_of_norm(0.6).requires_grad_(), POINTS.clone().requires_grad_()
    strategy = RussianRouletteLogDet(0.7)

    def gradients(strategy: ResidualLogDet) -> Tensor:
        _, log_det = strategy(bent(matrix), points)
        return torch.cat([part.flatten() for part in torch.autograd.grad(log_det.sum(), (matrix, points))])

    drawn = torch.stack([gradients(strategy) for _ in range(1500)])
    error = (drawn.mean(0) - gradients(ExactLogDet())).abs()
    # Of 15 numbers the largest deviates by some 2.5 standard errors.
    assert (error < 4.5 * drawn.std(0) / math.sqrt(1500)).all()


def test_the_gradient_keeps_one_backward_pass_in_memory() -> None:
    # Counted in nodes of the graph, whatever the number of terms.
    def nodes(exact_terms: int) -> int:
        torch.manual_seed(0)
        matrix = matrix_of_norm(0.5).requires_grad_()
        _, log_det = RussianRouletteLogDet(exact_terms=exact_terms)(bent(matrix), POINTS)
        seen, queue = set(), [log_det.grad_fn]
        while queue:
            node = queue.pop()
            if node is not None and node not in seen:
                seen.add(node)
                queue += [parent for parent, _ in node.next_functions]
        return len(seen)

    assert nodes(30) == nodes(1)


def test_a_statement_carries_no_gradient_and_one_draw_makes_none() -> None:
    matrix = matrix_of_norm(0.6).requires_grad_()
    estimate = RussianRouletteLogDet().estimate(linear(matrix), POINTS, draws=3)
    assert not estimate.mean.requires_grad
    assert not estimate.variance.requires_grad
    with pytest.raises(ValueError, match="draws is 1"):
        RussianRouletteLogDet().estimate(linear(matrix), POINTS, draws=1)


def test_the_standard_error_is_the_variances_root() -> None:
    assert LogDetEstimate(torch.zeros(1), torch.tensor([0.25])).standard_error.item() == 0.5


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: PowerSeriesLogDet(0), "terms is 0"),
        (lambda: RussianRouletteLogDet(0.0), "continuation is 0.0"),
        (lambda: RussianRouletteLogDet(1.0), "continuation is 1.0"),
        (lambda: RussianRouletteLogDet(exact_terms=0), "exact_terms is 0"),
        (lambda: RussianRouletteLogDet(draws=0), "draws is 0"),
    ],
)
def test_arguments_out_of_range_are_named(make: Callable[[], object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
