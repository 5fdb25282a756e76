"""The normal distribution's quantiles, from logarithms of probabilities."""

import torch
from torch import Tensor

__all__ = ["normal_quantile"]

# Newton's method from the left of a concave function: each step doubles the digits once near, and the start is near
# wherever the probability is small. Six are exact in float64 up to one half.
STEPS = 6


def normal_quantile(log_below: Tensor, log_above: Tensor) -> Tensor:
    r"""The ``y`` with :math:`\Phi(y) = p`, from :math:`\log p` and :math:`\log(1 - p)`, exact in either tail.

    It solves :math:`\log \Phi(y) = \log p` for the smaller one of the two.

    Args:
        log_below: :math:`\log p`, below 0.
        log_above: :math:`\log(1 - p)`, likewise.

    Returns:
        ``y``, of the shape of both, in units of the standard deviation.

    References:
        Abramowitz and Stegun, Handbook of mathematical functions, 1964, eq. 26.2.12 (the tail, where it starts).

    Examples:
        >>> normal_quantile(torch.tensor([-5000.0]), torch.tensor([0.0])).round()
        tensor([-100.])
    """
    lower = log_below < log_above
    log_tail = torch.where(lower, log_below, log_above)
    with torch.no_grad():
        # To the left of the root, as the tail is less than half of exp(-y^2 / 2); a tangent of a concave function lies
        # above it, so that no step passes the root.
        y = -(-2 * log_tail).sqrt()
        for _ in range(STEPS):
            y = y - (torch.special.log_ndtr(y) - log_tail) * _inverse_slope(y)
    # Two steps from the root have its derivatives up to the third.
    for _ in range(2):
        y = y - (torch.special.log_ndtr(y) - log_tail) * _inverse_slope(y)
    return torch.where(lower, y, -y)


def _inverse_slope(y: Tensor) -> Tensor:
    r"""One over the slope of :math:`\log \Phi`: Mills' ratio."""
    return torch.special.erfcx(-y / 2**0.5) * (torch.pi / 2) ** 0.5
