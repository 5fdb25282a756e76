"""Increasing transforms that have no inverse in closed form."""

import math
from abc import abstractmethod

import torch
from torch import Tensor

from flowkit.ops.precision import at_least_float32
from flowkit.ops.root_finding import monotone_root
from flowkit.transforms.transform import Transform

__all__ = ["MonotoneTransform", "StraightTails"]

# An end of a bracket is rounded: this much farther out, it is beyond the root.
FARTHER = 1.001


class MonotoneTransform(Transform):
    r"""An increasing function of one number whose inverse is found numerically.

    .. math:: x = f^{-1}(y;\, \theta) \text{ with } \log\left|\frac{dx}{dy}\right| = -\log f'(x;\, \theta)

    A subclass writes ``constrain``, ``forward`` and :meth:`bracket`; ``inverse`` is
    :func:`~flowkit.ops.monotone_root`'s, to rounding error, with the gradients of the inverse.

    References:
        Papamakarios et al., Normalizing flows for probabilistic modeling and inference, JMLR 2021, sec. 3.1.1
        (transformers inverted numerically).

    Examples:
        >>> class Cubic(MonotoneTransform):
        ...     parameters_per_element = 1
        ...     def constrain(self, raw):
        ...         return (raw.squeeze(-1).exp(),)
        ...     def forward(self, x, parameters):
        ...         return x + parameters[0] * x**3, (1 + 3 * parameters[0] * x**2).log()
        ...     def bracket(self, y, parameters):
        ...         return -y.abs(), y.abs()
        >>> Cubic().inverse(torch.tensor([2.0]), (torch.tensor([1.0]),))
        (tensor([1.]), tensor([-1.3863]))
    """

    @abstractmethod
    def bracket(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """Two numbers for each of ``y``, one below and one above the ``x`` that is sought, of the result's shape."""

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``x`` and log dx/dy, by 28 calls of ``forward``."""
        y = at_least_float32(y)
        with torch.no_grad():
            lower, upper = self.bracket(y, parameters)
        x = monotone_root(lambda x: self.forward(x, parameters), y, lower, upper)
        return x, -self.forward(x, parameters)[1]


class StraightTails(MonotoneTransform):
    r"""An increasing function on ``[-bound, bound]`` that goes on straight outside, by its slope at the ends.

    .. math:: f(x) = g(\bar x) + (x - \bar x)\, g'(\bar x), \qquad \bar x = \max(-B, \min(B, x))

    So it is defined everywhere, onto the real line, whatever ``g`` would do far out. A subclass writes ``constrain``
    and :meth:`inside`, which is ``g``.

    Args:
        bound: ``B``, half the length of the interval, > 0; in units of ``x``.

    Raises:
        ValueError: the bound is not positive.

    References:
        Sick, Hothorn and Dürr, Deep transformation models, 2020, sec. III (a polynomial that goes on straight).

    Examples:
        >>> class Sine(StraightTails):
        ...     parameters_per_element = 0
        ...     def constrain(self, raw):
        ...         return ()
        ...     def inside(self, x, parameters):
        ...         return x.sin(), x.cos().log()
        >>> Sine(1.0)(torch.tensor([0.0, 2.0]), ())[0]
        tensor([0.0000, 1.3818])
    """

    def __init__(self, bound: float) -> None:
        super().__init__()
        if not 0 < bound < math.inf:
            raise ValueError(f"bound is {bound}; the interval needs a positive, finite one")
        self.bound = bound

    @abstractmethod
    def inside(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        r"""``g(x)`` and :math:`\log g'(x)`, elementwise, for ``x`` in ``[-bound, bound]``."""

    def forward(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``y`` and log dy/dx, elementwise."""
        x = at_least_float32(x)
        inner = x.clamp(-self.bound, self.bound)
        y, log_derivative = self.inside(inner, parameters)
        return y + (x - inner) * log_derivative.exp(), log_derivative

    def bracket(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """The interval, and as far beyond it as the straight line goes to reach ``y``."""
        first, log_first = self.inside(torch.full_like(y, -self.bound), parameters)
        last, log_last = self.inside(torch.full_like(y, self.bound), parameters)
        before, behind = (first - y).clamp_min(0), (y - last).clamp_min(0)
        lower = -FARTHER * (self.bound + before * (-log_first).exp())
        return lower, FARTHER * (self.bound + behind * (-log_last).exp())
