"""Random vectors that see the trace of a matrix through products with it."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["Probe", "rademacher"]

# From a tensor to random numbers of its shape, type and device, independent, of mean 0 and variance 1.
Probe = Callable[[Tensor], Tensor]


def rademacher(like: Tensor) -> Tensor:
    r"""Random signs: -1 or 1, each with probability one half.

    Of all probes with independent components the one of least variance in :math:`v^\top A v`, an unbiased estimate of
    the trace of :math:`A`; the usual other one is ``torch.randn_like``.

    Args:
        like: a tensor of the shape, type and device that are wanted.

    Returns:
        The signs.

    References:
        Hutchinson, "A Stochastic Estimator of the Trace of the Influence Matrix for Laplacian Smoothing Splines",
        1989.

    Examples:
        >>> rademacher(torch.zeros(5)).abs()
        tensor([1., 1., 1., 1., 1.])
    """
    return torch.empty_like(like).bernoulli_(0.5) * 2 - 1
