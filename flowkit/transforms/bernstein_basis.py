"""Bernstein's basis of the polynomials."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["bernstein_basis"]

# Beyond it binomials overflow, or powers underflow, in float32: at 64 they are under 2e18, and the powers of what
# counts above 1e-26.
DEGREE_OF_POWERS = 64


def bernstein_basis(degree: int, t: Tensor) -> Tensor:
    r"""Bernstein's polynomials :math:`\binom{n}{i} t^i (1 - t)^{n - i}` for ``i`` from 0 to ``n``.

    Args:
        degree: ``n``, >= 0.
        t: in ``[0, 1]``.

    Returns:
        ``... x (n + 1)``, none negative, their sum 1.

    Examples:
        >>> bernstein_basis(2, torch.tensor(0.5))
        tensor([0.2500, 0.5000, 0.2500])
    """
    t = t.unsqueeze(-1)
    if degree <= DEGREE_OF_POWERS:
        number = torch.arange(degree + 1, dtype=t.dtype, device=t.device)
        binomials = torch.tensor([math.comb(degree, i) for i in range(degree + 1)], dtype=t.dtype, device=t.device)
        return binomials * t.pow(number) * (1 - t).pow(degree - number)
    basis = torch.ones_like(t)
    for _ in range(degree):
        # B(i, n) = (1 - t) B(i, n - 1) + t B(i - 1, n - 1)
        basis = F.pad((1 - t) * basis, (0, 1)) + F.pad(t * basis, (1, 0))
    return basis
