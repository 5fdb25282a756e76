"""The monotonic linear spline."""

import torch
from torch import Tensor

from flowkit.ops.precision import at_least_float32
from flowkit.transforms.knots import identity_outside, knots_of, locate, pick, require_bins, shares_of
from flowkit.transforms.transform import Transform

__all__ = ["LinearSpline"]


class LinearSpline(Transform):
    r"""Straight pieces over bins of equal width on ``[-bound, bound]``, the identity outside.

    In bin :math:`k` of ``K``, which starts at the knot :math:`(x_k, y_k)` and has the share :math:`h_k` of the height,

    .. math:: y = y_k + K h_k\,(x - x_k), \qquad \frac{dy}{dx} = K h_k

    The density of a flow of such layers is piecewise constant, with jumps at the knots. The ``bins`` raw parameters of
    one number become shares by a softmax. All zeros are the identity.

    Args:
        bins: number of bins ``K``, >= 2.
        bound: half the length of the interval, > 0; in units of ``x``.
        min_height: smallest height of a bin, as a share of the interval, > 0 and < ``1 / bins``.

    Raises:
        ValueError: an argument is outside its range.

    References:
        Müller, McWilliams, Rousselle, Gross and Novák, Neural importance sampling, 2019, sec. 4.2.

    Examples:
        >>> spline = LinearSpline(bins=2, bound=1.0)
        >>> spline(torch.tensor([-0.5, 0.5]), spline.constrain(torch.tensor([0.0, 3.0]).log1p()))
        (tensor([-0.7994,  0.2006]), tensor([-0.9133,  0.4693]))
    """

    def __init__(self, bins: int = 8, bound: float = 3.0, min_height: float = 1e-3) -> None:
        super().__init__()
        require_bins(bins, bound, min_height=min_height)
        self.bins = bins
        self.bound = bound
        self.min_height = min_height
        self.parameters_per_element = bins

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Shares ``... x K`` and knots ``... x (K + 1)`` of the height, from raw heights ``... x K``."""
        shares = shares_of(at_least_float32(raw), self.min_height)
        return shares, knots_of(shares, self.bound)

    def forward(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``y`` and log dy/dx, elementwise."""
        shares, knots = parameters
        inner = at_least_float32(x).clamp(-self.bound, self.bound)
        index = locate(inner, self._equal_knots(inner)).expand(*self._shape(inner, shares), 1)
        slope = self.bins * pick(shares, index)
        y = pick(knots, index) + slope * (inner - self._start(index, inner))
        return identity_outside(x, y, slope.log(), self.bound)

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``x`` and log dx/dy, elementwise."""
        shares, knots = parameters
        inner = at_least_float32(y).clamp(-self.bound, self.bound)
        index = locate(inner, knots)
        slope = self.bins * pick(shares, index)
        x = self._start(index, inner) + (inner - pick(knots, index)) / slope
        return identity_outside(y, x, -slope.log(), self.bound)

    def _equal_knots(self, like: Tensor) -> Tensor:
        return torch.linspace(-self.bound, self.bound, self.bins + 1, dtype=like.dtype, device=like.device)

    def _start(self, index: Tensor, like: Tensor) -> Tensor:
        return self._equal_knots(like)[index.squeeze(-1)]

    def _shape(self, inner: Tensor, shares: Tensor) -> torch.Size:
        return torch.broadcast_shapes(inner.shape, shares.shape[:-1])
