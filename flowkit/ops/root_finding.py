"""Roots of increasing functions, many at once."""

from collections.abc import Callable

import torch
from torch import Tensor

__all__ = ["monotone_root"]

# So many halvings leave 2^-24 of the bracket, which are all digits of float32. To cut it into 16 sections, by 15 points
# at once, takes fewer calls, and at anything but a few numbers three times the work.
HALVINGS = 24
# From there, each step of Newton's doubles the digits: two are exact in float64 where the slope does not change within
# the millionth part of the bracket, the third is for brackets much wider than what the function varies over.
NEWTON_STEPS = 3


def monotone_root(
    function: Callable[[Tensor], tuple[Tensor, Tensor]],
    target: Tensor,
    lower: Tensor,
    upper: Tensor,
    value: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    r"""The root of an increasing function, elementwise: the ``x`` in a bracket with :math:`f(x) = y`.

    The bracket is halved 24 times; three steps of Newton's method within what is left follow. So the result is within
    2\ :sup:`-24` of the bracket's width of the root, whatever the function; and within its rounding error, in float64
    as well, where the logarithm of its slope changes little over such a distance. That is 27 calls, whatever the
    values: compiled, mapped by ``torch.func.vmap`` and eager calls are the same, and no element depends on another.

    Gradients are those of the root by the implicit function theorem, not of the steps: with respect to the target and
    to all that the function depends on, up to third derivatives.

    Args:
        function: from ``x`` to ``f(x)`` and :math:`\log f'(x)`, elementwise, of finite slope over the bracket.
        target: ``y``, float32 or float64; in units of ``f``.
        lower: below the root or at it; ``lower`` and ``upper`` have the shape of the result.
        upper: above the root or at it.
        value: ``f(x)`` alone, for the halvings, where that takes less time than with the slope.

    Returns:
        ``x``, of the shape of the bracket, and within it. Where the bracket has no root, its nearer end.

    References:
        Press, Teukolsky, Vetterling and Flannery, Numerical recipes, 3rd edition, 2007, sec. 9.4 (Newton's method
        within a bracket).
        Christianson, Reverse accumulation and attractive fixed points, 1994 (derivatives from the root alone).

    Examples:
        >>> y = torch.tensor([8.0, 27.0], requires_grad=True)
        >>> cube = lambda x: (x**3, (3 * x**2).log())
        >>> x = monotone_root(cube, y, torch.ones(2), torch.full((2,), 5.0))
        >>> x.detach(), torch.autograd.grad(x.sum(), y)[0]
        (tensor([2., 3.]), tensor([0.0833, 0.0370]))
    """
    # Not `value or ...`: torch.compile before 2.13 cannot trace whether a function is true.
    evaluate = (lambda x: function(x)[0]) if value is None else value
    with torch.no_grad():
        x = _root(function, target, lower, upper, evaluate)
    if not torch.is_grad_enabled():
        return x
    # A step of Newton's from a root that counts as constant has the root's first derivatives, and the next one those up
    # to the third. What is subtracted is zero: rounding, divided by a small slope, would move the root.
    for _ in range(2):
        found, log_slope = function(x)
        excess = found - target
        x = x - (excess - excess.detach()) * (-log_slope).exp()
    return x


def _root(
    function: Callable[[Tensor], tuple[Tensor, Tensor]],
    target: Tensor,
    lower: Tensor,
    upper: Tensor,
    value: Callable[[Tensor], Tensor],
) -> Tensor:
    width = upper - lower
    for _ in range(HALVINGS):
        width = width / 2
        is_below = value(lower + width) <= target
        lower = lower + width * is_below
    upper = lower + width
    x = lower + width / 2
    for _ in range(NEWTON_STEPS):
        found, log_slope = function(x)
        x = torch.minimum(torch.maximum(x + (target - found) * (-log_slope).exp(), lower), upper)
    return x
