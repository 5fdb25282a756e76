"""What splines of several kinds share: bins, knots, and where a value lies among them."""

import math

import torch
from torch import Tensor

__all__ = ["identity_outside", "knots_of", "locate", "pick", "require_bins", "shares_of"]


def require_bins(bins: int, bound: float, **least: float) -> None:
    """Check what a spline is made with.

    Args:
        bins: how many, >= 2.
        bound: half the length of the interval, > 0.
        least: smallest shares of the interval, by name, each > 0 and < ``1 / bins``.

    Raises:
        ValueError: a number is outside its range.

    Examples:
        >>> require_bins(8, 3.0, min_width=0.2)
        Traceback (most recent call last):
        ...
        ValueError: min_width is 0.2; with 8 bins it must lie in (0, 0.125)
    """
    if bins < 2:
        raise ValueError(f"bins is {bins}; a spline needs at least 2")
    if not (bound > 0 and math.isfinite(bound)):
        raise ValueError(f"bound is {bound}; the interval needs a positive, finite one")
    for name, share in least.items():
        if not 0 < share * bins < 1:
            raise ValueError(f"{name} is {share}; with {bins} bins it must lie in (0, {1 / bins:g})")


def shares_of(raw: Tensor, least: float) -> Tensor:
    """Shares that add up to 1, none under the least, by a softmax over the last dimension.

    Examples:
        >>> shares_of(torch.tensor([0.0, 100.0]), 0.1)
        tensor([0.1000, 0.9000])
    """
    return least + (1 - least * raw.shape[-1]) * raw.softmax(-1)


def knots_of(shares: Tensor, bound: float) -> Tensor:
    """The ends of bins that cover ``[-bound, bound]`` by their shares: one knot more than bins, the outermost exact.

    Examples:
        >>> knots_of(torch.tensor([0.25, 0.75]), 2.0)
        tensor([-2., -1.,  2.])
    """
    inner = 2 * bound * shares[..., :-1].cumsum(-1) - bound
    end = torch.full_like(inner[..., :1], bound)
    return torch.cat([-end, inner, end], -1)


def locate(value: Tensor, knots: Tensor) -> Tensor:
    """The number of the bin that each value is in, with a last dimension of 1; the shapes before it broadcast.

    Examples:
        >>> locate(torch.tensor([-1.5, 0.0]), torch.tensor([-2.0, -1.0, 2.0]))
        tensor([[0],
                [1]])
    """
    return (value.unsqueeze(-1) >= knots[..., 1:-1]).sum(-1, keepdim=True)


def pick(values: Tensor, index: Tensor) -> Tensor:
    """The one of several numbers for each value, by the index that :func:`locate` found.

    Examples:
        >>> pick(torch.tensor([5.0, 7.0]), torch.tensor([[1], [0], [1]]))
        tensor([7., 5., 7.])
    """
    return values.expand(*index.shape[:-1], values.shape[-1]).gather(-1, index).squeeze(-1)


def identity_outside(value: Tensor, result: Tensor, log_derivative: Tensor, bound: float) -> tuple[Tensor, Tensor]:
    """What a spline gives within its interval, and the value itself outside.

    Examples:
        >>> identity_outside(torch.tensor([0.5, 9.0]), torch.tensor([1.0, 3.0]), torch.tensor([0.1, 0.2]), 3.0)
        (tensor([1., 9.]), tensor([0.1000, 0.0000]))
    """
    inside = (value > -bound) & (value < bound)
    return torch.where(inside, result, value), torch.where(inside, log_derivative, 0.0)
