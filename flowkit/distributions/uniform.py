"""A uniform distribution over a box."""

from typing import Any

import torch
from torch import Tensor
from torch.distributions import constraints

from flowkit.bijector import Shape, sum_event
from flowkit.distributions.channels import event_shape
from flowkit.distributions.distribution import Distribution

__all__ = ["Uniform", "uniform_like"]


class Uniform(Distribution[Tensor]):
    r"""Independent uniform numbers between fixed bounds.

    .. math:: \log p(z) = -\sum \log(b - a) \text{ where } a \le z \le b, \text{ else } -\infty

    The bounds are buffers, not parameters: the likelihood has no useful gradient with respect to its own support. For
    flows onto a bounded interval (splines over [0, 1], a copula's uniform margins).

    Args:
        lower: ``a``; a number, or a tensor that broadcasts to the event.
        upper: ``b``, greater than ``lower`` everywhere; likewise.
        event_dims: 3 for images ``C x H x W``, 1 for vectors.

    Raises:
        ValueError: ``upper`` is not greater than ``lower``, or (when called) the bounds do not fit the event, or the
            temperature is not from 0 to 1.

    References:
        Müller, McWilliams, Rousselle, Gross and Novák, "Neural importance sampling", 2019, sec. 3 (flows of the unit
        cube).

    Examples:
        >>> base = Uniform(0.0, torch.tensor([1.0, 2.0]))
        >>> base.log_prob(torch.tensor([[0.5, 0.5], [0.5, 2.5]]))
        tensor([-0.6931,    -inf])
        >>> base.sample(5, (2,)).shape
        torch.Size([5, 2])
    """

    lower: Tensor
    upper: Tensor

    def __init__(self, lower: float | Tensor, upper: float | Tensor, event_dims: int = 1) -> None:
        super().__init__()
        a, b = torch.broadcast_tensors(torch.as_tensor(lower), torch.as_tensor(upper))
        # Integer bounds would make integer samples.
        dtype = torch.promote_types(torch.promote_types(a.dtype, b.dtype), torch.get_default_dtype())
        if not bool((a < b).all()):
            raise ValueError(f"upper is {upper}; it must be greater than lower, {lower}, everywhere")
        if a.ndim > event_dims:
            raise ValueError(f"bounds of shape {tuple(a.shape)} do not fit {event_dims} event dimensions")
        self.event_dims = event_dims
        self.register_buffer("lower", a.detach().to(dtype).clone())
        self.register_buffer("upper", b.detach().to(dtype).clone())

    def _log_prob(self, z: Tensor, label: Any) -> Tensor:
        """Log-density of ``batch x event``, one number per sample, minus infinity outside."""
        lower, upper = self._bounds_for(event_shape(z, self.event_dims, self))
        inside = (z >= lower) & (z <= upper)
        dtype = torch.promote_types(z.dtype, torch.float32)
        log_width = (upper.to(dtype) - lower.to(dtype)).log()
        return sum_event(torch.where(inside, -log_width, -torch.inf), self.event_dims)

    def _sample(
        self, batch: int, shape: Shape, label: Any, temperature: float, generator: torch.Generator | None
    ) -> Tensor:
        """A tensor ``batch x shape``; a temperature under 1 draws closer to the middle.

        Raises:
            ValueError: the temperature is not from 0 to 1.
        """
        if not 0 <= temperature <= 1:
            raise ValueError(f"temperature is {temperature}; a Uniform takes 0 to 1: over 1, samples leave its bounds")
        lower, upper = self._bounds_for(shape)
        noise = uniform_like((batch, *shape), self.lower, generator)
        return torch.lerp(lower, upper, 0.5 + temperature * (noise - 0.5))

    def support(self, event_dims: int) -> constraints.Constraint:
        """The box, its faces included."""
        return constraints.independent(constraints.interval(self.lower, self.upper), event_dims)

    def _bounds_for(self, event: Shape) -> tuple[Tensor, Tensor]:
        if len(event) == self.event_dims:
            try:
                return self.lower.expand(event), self.upper.expand(event)
            except RuntimeError:
                pass
        raise ValueError(
            f"Uniform of {self.event_dims} event dimensions, with bounds of shape {tuple(self.lower.shape)}, "
            f"got the event shape {tuple(event)}"
        )


def uniform_like(shape: tuple[int, ...], like: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """Uniform numbers in [0, 1) of the dtype and device of ``like``, drawn on the generator's own device.

    Args:
        shape: shape of the result.
        like: a tensor whose dtype and device are taken.
        generator: source of randomness; ``None`` for PyTorch's global one.

    Returns:
        A tensor of that shape.

    Examples:
        >>> bool((uniform_like((100,), torch.zeros(1)) < 1).all())
        True
    """
    device = like.device if generator is None else generator.device
    return torch.rand(shape, dtype=like.dtype, device=device, generator=generator).to(like.device)
