"""Bernstein's basis of the polynomials."""

import math

import torch
from torch import Tensor

__all__ = ["bernstein_basis"]


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
    number = torch.arange(degree + 1, dtype=t.dtype, device=t.device)
    binomials = torch.tensor([math.comb(degree, i) for i in range(degree + 1)], dtype=t.dtype, device=t.device)
    t = t.unsqueeze(-1)
    return binomials * t.pow(number) * (1 - t).pow(degree - number)
