"""Log-determinants of an invertible residual block: exact, truncated, and unbiased at random cost."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from flowkit.bijector import sum_event
from flowkit.bijectors.jacobian import jacobian, value_and_pullback
from flowkit.bijectors.probes import Probe, rademacher
from flowkit.recorded import Recorded

__all__ = ["ExactLogDet", "LogDetEstimate", "PowerSeriesLogDet", "ResidualLogDet", "RussianRouletteLogDet"]

Function = Callable[[Tensor], Tensor]


class ResidualLogDet(Recorded, ABC):
    r"""A way to :math:`\log\det(I + J_g(x))`, where :math:`J_g` is the Jacobian of a contraction ``g``.

    The determinant is positive, since no eigenvalue of :math:`J_g` reaches 1 in modulus.

    Examples:
        >>> strategies = [ExactLogDet(), PowerSeriesLogDet(terms=8)]
        >>> [round(log_det(lambda x: 0.5 * x, torch.ones(1, 2))[1].item(), 2) for log_det in strategies]
        [0.81, 0.81]
    """

    @abstractmethod
    def __call__(self, function: Function, x: Tensor, event_dims: int = 1) -> tuple[Tensor, Tensor]:
        """The value of the contraction and the log-determinant.

        Args:
            function: ``g``, with a Lipschitz constant below 1; samples must not see each other.
            x: where, ``batch x event``.
            event_dims: how many trailing dimensions make one event.

        Returns:
            ``g(x)`` and one number per sample, of the batch shape, float32 at least.
        """


class ExactLogDet(ResidualLogDet):
    r"""The log-determinant of the full matrix: :math:`\log\left|\det(I + J_g)\right|`.

    For events of ``D`` numbers: ``D`` backward passes through the network, run at once, and one factorisation of a
    ``D x D`` matrix per sample.

    Examples:
        >>> import math
        >>> _, log_det = ExactLogDet()(lambda x: 0.5 * x, torch.ones(1, 2))
        >>> bool(torch.isclose(log_det, torch.tensor(2 * math.log(1.5))))
        True
    """

    def __call__(self, function: Function, x: Tensor, event_dims: int = 1) -> tuple[Tensor, Tensor]:
        """``g(x)`` and the log-determinant."""
        value, matrix = _jacobian(function, x, event_dims)
        identity = torch.eye(matrix.shape[-1], dtype=matrix.dtype, device=matrix.device)
        return value, torch.linalg.slogdet(identity + matrix).logabsdet


class PowerSeriesLogDet(ResidualLogDet):
    r"""The logarithm's power series, cut off: :math:`\sum_{k=1}^{n} \frac{(-1)^{k+1}}{k} \operatorname{tr}(J_g^k)`.

    Deterministic and biased: with a Lipschitz constant :math:`\kappa` the rest that is left out is at most
    :math:`D\, \kappa^{n+1} / ((n+1)(1-\kappa))`. The traces are exact, so that the cut is the only error; use it to
    see what a cut costs, and :class:`RussianRouletteLogDet` where the full matrix is too dear.

    Args:
        terms: ``n``, at least 1.

    Raises:
        ValueError: fewer than one term.

    References:
        Behrmann, Grathwohl, Chen, Duvenaud and Jacobsen, "Invertible Residual Networks", ICML 2019, section 3
        and theorem 3.

    Examples:
        >>> _, log_det = PowerSeriesLogDet(terms=2)(lambda x: 0.5 * x, torch.ones(1, 2))
        >>> log_det
        tensor([0.7500])
    """

    def __init__(self, terms: int) -> None:
        if terms < 1:
            raise ValueError(f"terms is {terms}; a power series needs at least 1")
        self.terms = terms

    def __call__(self, function: Function, x: Tensor, event_dims: int = 1) -> tuple[Tensor, Tensor]:
        """``g(x)`` and the first terms' sum."""
        value, matrix = _jacobian(function, x, event_dims)
        power, log_det = matrix, _trace(matrix)
        for k in range(2, self.terms + 1):
            power = power @ matrix
            log_det = log_det + (-1) ** (k + 1) / k * _trace(power)
        return value, log_det


class LogDetEstimate(NamedTuple):
    """An estimate that knows how far off it may be.

    Attributes:
        mean: the mean of independent draws, of the batch shape: an unbiased estimate of the log-determinant.
        variance: the variance of that mean, of the batch shape: itself an unbiased estimate, from the draws' spread.

    Examples:
        >>> LogDetEstimate(mean=torch.tensor([0.8]), variance=torch.tensor([0.04])).standard_error
        tensor([0.2000])
    """

    mean: Tensor
    variance: Tensor

    @property
    def standard_error(self) -> Tensor:
        """The square root of the variance: the mean is off by about this much."""
        return self.variance.sqrt()


class RussianRouletteLogDet(ResidualLogDet):
    r"""An unbiased estimate of the whole power series at a finite, random cost.

    After ``m`` terms that are always computed the series goes on from each term to the next with probability ``q``,
    so that term ``k`` is computed with probability :math:`P_k = q^{\max(0, k - m)}`, and is divided by it:

    .. math:: \log\det(I + J_g) = \mathbb{E}_{n, v}\left[
              \sum_{k=1}^{n} \frac{(-1)^{k+1}}{k\, P_k}\, v^\top J_g^k v \right].

    ``n`` is drawn once for a whole batch, ``v`` for each sample. One draw takes ``m + q / (1 - q)`` backward passes in
    the mean, whatever the size of an event. Its gradient is the paper's Neumann series, from the same draw, which keeps
    one backward pass in memory, not ``n``:

    .. math:: \mathbb{E}\left[ \sum_{k=1}^{n} \frac{(-1)^{k-1}}{P_k}\, v^\top J_g^{k-1}\, \partial J_g\, v \right].

    **Variance.** It is finite when the eigenvalues of :math:`J_g` stay below :math:`\sqrt q` in modulus, so for every
    network if its Lipschitz constant does: 0.5 is right up to a constant of 0.7, and a network that is pushed to
    0.97 wants ``continuation=0.95``. :meth:`estimate` measures it.

    Random numbers come from PyTorch's global generator.

    Args:
        continuation: ``q``, in the open interval (0, 1); the paper's geometric distribution has :math:`p = 1 - q`.
        exact_terms: ``m``, at least 1.
        draws: how many independent draws a call takes the mean of, at least 1; the variance falls as their inverse.
        probe: makes ``v``.

    Raises:
        ValueError: an argument outside its range.

    References:
        Chen, Behrmann, Duvenaud and Jacobsen, "Residual Flows for Invertible Generative Modeling", NeurIPS 2019,
        equations 6 to 8.

    Examples:
        >>> import math
        >>> _ = torch.manual_seed(0)
        >>> estimate = RussianRouletteLogDet().estimate(lambda x: 0.5 * x, torch.ones(1, 2), draws=400)
        >>> bool((estimate.mean - 2 * math.log(1.5)).abs() < 3 * estimate.standard_error)
        True
    """

    def __init__(
        self, continuation: float = 0.5, exact_terms: int = 2, draws: int = 1, probe: Probe = rademacher
    ) -> None:
        if not 0 < continuation < 1:
            raise ValueError(f"continuation is {continuation}; it is a probability between 0 and 1, both excluded")
        if exact_terms < 1 or draws < 1:
            raise ValueError(f"exact_terms is {exact_terms} and draws is {draws}; both are at least 1")
        self.continuation = continuation
        self.exact_terms = exact_terms
        self.draws = draws
        self.probe = probe

    def __call__(self, function: Function, x: Tensor, event_dims: int = 1) -> tuple[Tensor, Tensor]:
        """``g(x)`` and the mean of the draws."""
        value, pullback = value_and_pullback(function, x)
        drawn = [self._differentiable_draw(pullback, value, event_dims) for _ in range(self.draws)]
        return value, torch.stack(drawn).mean(0)

    @torch.no_grad()
    def estimate(self, function: Function, x: Tensor, event_dims: int = 1, draws: int = 32) -> LogDetEstimate:
        """The log-determinant and the variance of what is said of it; neither carries a gradient.

        Args:
            function: ``g``, as for the call; of a block it is
                :meth:`Residual.branch <flowkit.bijectors.residual.Residual.branch>`.
            x: where, ``batch x event``.
            event_dims: how many trailing dimensions make one event.
            draws: how many independent draws, at least 2. ``draws * variance`` estimates the variance of a single one.

        Returns:
            The draws' mean and its variance, one number each per sample.

        Raises:
            ValueError: fewer than 2 draws, whose spread says nothing.
        """
        if draws < 2:
            raise ValueError(f"draws is {draws}; a variance needs at least 2")
        value, pullback = value_and_pullback(function, x)
        drawn = torch.stack([self._draw(pullback, self.probe(value), event_dims)[0] for _ in range(draws)])
        return LogDetEstimate(drawn.mean(0), drawn.var(0) / draws)

    def _differentiable_draw(self, pullback: Function, value: Tensor, event_dims: int) -> Tensor:
        probe = self.probe(value)
        with torch.no_grad():
            drawn, neumann = self._draw(pullback, probe, event_dims)
        # Of the value nothing: what is added is zero, and has the gradient of the Neumann series.
        gradient = sum_event(pullback(neumann.detach()) * probe, event_dims)
        return drawn.detach() + gradient - gradient.detach()

    def _draw(self, pullback: Function, probe: Tensor, event_dims: int) -> tuple[Tensor, Tensor]:
        """One draw of the series, and the vector that the Neumann series multiplies the derivative of J v by."""
        power, neumann = probe, torch.zeros_like(probe)
        drawn = sum_event(neumann, event_dims)
        for k in range(1, self._number_of_terms() + 1):
            weight = (-1) ** (k + 1) * self.continuation ** -max(0, k - self.exact_terms)
            neumann = neumann + weight * power
            power = pullback(power)
            drawn = drawn + weight / k * sum_event(power * probe, event_dims)
        return drawn, neumann

    def _number_of_terms(self) -> int:
        # A geometric number counts the trials up to the first success, here up to the first stop.
        trials = torch.empty(()).geometric_(1 - self.continuation)
        return self.exact_terms + int(trials.item()) - 1


def _jacobian(function: Function, x: Tensor, event_dims: int) -> tuple[Tensor, Tensor]:
    value, matrix = jacobian(function, x, event_dims)
    return value, matrix.to(torch.promote_types(matrix.dtype, torch.float32))


def _trace(matrix: Tensor) -> Tensor:
    return matrix.diagonal(dim1=-2, dim2=-1).sum(-1)
