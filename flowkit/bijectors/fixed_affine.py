"""A fixed shift and scale: data to mean 0 and variance 1."""

import math
from typing import Any, Self

import torch
from torch import Tensor

from flowkit.bijector import Bijector, Interval, Shape, sum_event
from flowkit.bijectors.chaining import ends_mapped
from flowkit.ops.broadcasting import broadcasts_to
from flowkit.ops.values import readable

__all__ = ["FixedAffine"]


class FixedAffine(Bijector[Tensor, Tensor]):
    r"""A shift and a scale that are not learned, as for the standardisation of data.

    .. math:: z = \frac{x - m}{s}, \qquad \log\left|\det \frac{\partial z}{\partial x}\right| = -\sum_i \log |s_i|

    ``inverse`` is then torch's ``AffineTransform(loc=m, scale=s)``. Both are buffers: part of the state, moved with
    the module, never trained.

    Args:
        loc: ``m``, a number or a tensor that broadcasts to the event, in units of the data.
        scale: ``s``, likewise; not 0, and finite.
        event_dims: 3 for images, 1 for vectors.

    Raises:
        ValueError: a scale is 0, or a number is not finite; the numbers have more dimensions than the event, or (when
            called) do not broadcast to it.

    References:
        Papamakarios et al., Normalizing flows for probabilistic modeling and inference, 2021, sec. 3.1.1.

    Examples:
        >>> layer = FixedAffine(loc=torch.tensor([1000.0, 5.0]), scale=torch.tensor([300.0, 0.01]))
        >>> layer(torch.tensor([[1300.0, 5.01]]))[0].round(decimals=3)
        tensor([[1., 1.]])
        >>> data = 1000 + 300 * torch.randn(500, 2)
        >>> bool(FixedAffine.standardizing(data)(data)[0].mean(0).abs().max() < 1e-3)
        True
    """

    takes_context = False

    loc: Tensor
    scale: Tensor

    def __init__(self, loc: float | Tensor, scale: float | Tensor, event_dims: int = 1) -> None:
        super().__init__()
        m, s = (torch.as_tensor(value, dtype=_floating(value)).detach() for value in (loc, scale))
        if max(m.ndim, s.ndim) > event_dims:
            raise ValueError(
                f"loc of shape {tuple(m.shape)} and scale of shape {tuple(s.shape)} have more dimensions than events "
                f"of {event_dims}"
            )
        if readable(m) and readable(s) and not bool((m.isfinite() & s.isfinite() & (s != 0)).all()):
            raise ValueError(f"loc is {m.tolist()} and scale {s.tolist()}; both must be finite, and no scale 0")
        self.event_dims = event_dims
        self.register_buffer("loc", m.clone())
        self.register_buffer("scale", s.clone())

    @classmethod
    def standardizing(cls, data: Tensor, event_dims: int = 1, shape: Shape | None = None) -> Self:
        """The layer that gives these data mean 0 and variance 1 in every element, or in every channel.

        Args:
            data: ``batch x event``, at least two samples.
            event_dims: 3 for images, 1 for vectors.
            shape: shape of the numbers, of as many dimensions as the event: ``(C, 1, 1)`` for one of each channel;
                ``None`` for one of each element of the event.

        Returns:
            The layer; an element that is the same in all samples is shifted and not scaled.

        Raises:
            TypeError: ``data`` is no floating-point tensor.
            ValueError: there are fewer than two samples, or a value is NaN or infinite.
        """
        if not isinstance(data, Tensor) or not data.is_floating_point():
            got = f"a {data.dtype} tensor" if isinstance(data, Tensor) else type(data).__name__
            raise TypeError(f"data to standardise by is a floating-point tensor, got {got}: convert it first")
        event = tuple(data.shape[max(0, data.ndim - event_dims) :])
        if data.ndim <= event_dims or math.prod(data.shape[: data.ndim - event_dims]) < 2:
            raise ValueError(
                f"data to standardise by is two samples of {event_dims} dimensions or more, got the shape "
                f"{tuple(data.shape)}"
            )
        rows = data.detach().reshape(-1, *event)
        if not bool(rows.isfinite().all()):
            wrong = int((~rows.isfinite()).sum())
            raise ValueError(f"{wrong} of {rows.numel()} values to standardise by are NaN or infinite: leave them out")
        target = event if shape is None else tuple(shape)
        shared = [0, *(i + 1 for i, size in enumerate(target) if size != event[i])]
        # In float64: the variance of values far from 0 loses its digits in float32.
        exact = rows.to("cpu", torch.float64)
        mean = exact.mean(shared, keepdim=True)
        std = (exact - mean).square().mean(shared, keepdim=True).sqrt()
        constant = std <= torch.finfo(rows.dtype).eps * mean.abs()
        mean, std = (value.to(rows).reshape(target) for value in (mean, std.masked_fill(constant, 1.0)))
        return cls(mean, std, event_dims)

    def output_shape(self, shape: Shape) -> Shape:
        """The same shape; ValueError where the numbers do not broadcast to it."""
        for name in ("loc", "scale"):
            own = tuple(getattr(self, name).shape)
            if not broadcasts_to(own, shape):
                raise ValueError(f"FixedAffine has a {name} of shape {own}, got the event shape {tuple(shape)}")
        return shape

    def input_shape(self, shape: Shape) -> Shape:
        """The same shape; ValueError where the numbers do not broadcast to it."""
        return self.output_shape(shape)

    def image_of(self, interval: Interval) -> Interval | None:
        """Between what becomes of the ends; of elements that are scaled apart, between the outermost."""
        image = super().image_of(interval)
        return ends_mapped(self, interval) if image is None else image

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        return (x - self.loc.to(x.dtype)) / self.scale.to(x.dtype), -self._log_scale(x)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        return torch.addcmul(self.loc.to(z.dtype), z, self.scale.to(z.dtype)), self._log_scale(z)

    def _log_scale(self, like: Tensor) -> Tensor:
        log_scale = self.scale.to(like.dtype).abs().log()
        return sum_event(log_scale, self.event_dims, like=like)


def _floating(value: float | Tensor) -> torch.dtype:
    """The type of a tensor of floating-point numbers, else the default one."""
    return value.dtype if isinstance(value, Tensor) and value.is_floating_point() else torch.get_default_dtype()
