"""A box to real numbers."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.bijector import Bijector, Interval, Shape, sum_event
from flowkit.ops.broadcasting import broadcasts_to
from flowkit.ops.values import readable
from flowkit.supports.box import BoxSupport

__all__ = ["Box"]


class Box(Bijector[Tensor, Tensor]):
    r"""An open interval for each entry to the real line, by log-odds.

    .. math:: z_i = \log \frac{x_i - a_i}{b_i - x_i}, \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right|
              = \sum_i \log (b_i - a_i) - \log (x_i - a_i) - \log (b_i - x_i)

    Args:
        lower: ``a``, a number or a tensor that broadcasts to the event, in units of the data.
        upper: ``b``, greater than ``a`` everywhere; likewise.
        event_dims: 3 for images, 1 for vectors ``batch x features``.

    Raises:
        ValueError: ``upper`` is not greater than ``lower``, or one of them is not finite; the bounds have more
            dimensions than the event, or (when called) do not broadcast to it, or a value lies on or outside them.

    References:
        A. Kucukelbir, D. Tran, R. Ranganath, A. Gelman, D. M. Blei, "Automatic Differentiation Variational Inference",
        JMLR 2017, sec. 2.3.

    Examples:
        >>> box = Box(torch.tensor([0.0, -1.0]), torch.tensor([1.0, 3.0]))
        >>> box(torch.tensor([0.5, 1.0]))
        (tensor([0., 0.]), tensor(1.3863))
    """

    takes_context = False

    lower: Tensor
    upper: Tensor

    def __init__(self, lower: float | Tensor, upper: float | Tensor, event_dims: int = 1) -> None:
        super().__init__()
        a, b = torch.broadcast_tensors(*(torch.as_tensor(bound).detach() for bound in (lower, upper)))
        dtype = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.get_default_dtype())
        if a.ndim > event_dims:
            raise ValueError(f"bounds of shape {tuple(a.shape)} have more dimensions than events of {event_dims}")
        if readable(a) and readable(b) and not bool(((a < b) & a.isfinite() & b.isfinite()).all()):
            raise ValueError(
                f"a Box from {a.tolist()} to {b.tolist()}: both bounds must be finite, and the upper one greater; for "
                "a half-line take Positive()"
            )
        self.event_dims = event_dims
        self.register_buffer("lower", a.to(dtype).clone())
        self.register_buffer("upper", b.to(dtype).clone())
        # Known without looking at the buffers, which may be on any device.
        self._ends = (float(a.min()), float(b.max())) if readable(a) and readable(b) else (-float("inf"), float("inf"))

    def output_shape(self, shape: Shape) -> Shape:
        """The same shape; ValueError where the bounds do not broadcast to it."""
        if not broadcasts_to(tuple(self.lower.shape), shape):
            raise ValueError(f"a Box of bounds of shape {tuple(self.lower.shape)} got the event shape {tuple(shape)}")
        return shape

    def input_shape(self, shape: Shape) -> Shape:
        """The same shape; ValueError where the bounds do not broadcast to it."""
        return self.output_shape(shape)

    def domain(self, dtype: torch.dtype) -> Interval:
        """From the lowest of the lower bounds to the highest of the upper ones."""
        return self._ends

    def data_support(self) -> BoxSupport:
        """The box."""
        return BoxSupport(self.lower, self.upper, self.event_dims)

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x, lower, upper = self._alike(x)
        above, below = (x - lower).log(), (upper - x).log()
        return above - below, sum_event((upper - lower).log() - above - below, self.event_dims)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z, lower, upper = self._alike(z)
        log_derivative = (upper - lower).log() + F.logsigmoid(z) + F.logsigmoid(-z)
        # A sigmoid rounds to 0 or 1 where the numbers within the box have not ended yet.
        first, last = torch.nextafter(lower, upper), torch.nextafter(upper, lower)
        x = torch.lerp(lower, upper, torch.sigmoid(z)).clamp(first, last)
        return x, sum_event(log_derivative, self.event_dims)

    def _alike(self, value: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The value and the bounds, out of half precision."""
        value = value.to(torch.promote_types(value.dtype, torch.float32))
        return value, self.lower.to(value.dtype), self.upper.to(value.dtype)
