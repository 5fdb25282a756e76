"""The base class of distributions with parameters for each channel."""

from torch import Tensor, nn

from flowkit.bijector import Shape
from flowkit.distributions.distribution import Distribution

__all__ = ["ChannelDistribution", "event_shape"]


class ChannelDistribution(Distribution[Tensor]):
    """A distribution whose parameters belong to the channels and are shared by all positions.

    Args:
        channels: size of the channel dimension, the first event dimension, >= 1.
        event_dims: 3 for images ``C x H x W``, 1 for vectors.

    Raises:
        ValueError: ``channels`` or ``event_dims`` is under 1, or (when called) the latents have another number of
            channels.

    Examples:
        >>> from flowkit.distributions.diagonal_normal import DiagonalNormal
        >>> base: ChannelDistribution = DiagonalNormal(3)
        >>> base.channels, base.event_dims
        (3, 1)
    """

    def __init__(self, channels: int, event_dims: int = 1) -> None:
        super().__init__()
        name = type(self).__name__
        if channels < 1:
            raise ValueError(f"channels is {channels}; {name} needs at least 1")
        if event_dims < 1:
            raise ValueError(f"event_dims is {event_dims}; {name} has at least 1, the channels")
        self.channels = channels
        self.event_dims = event_dims

    def _along_event(self, values: Tensor) -> Tensor:
        """One number per channel, shaped to broadcast against the positions."""
        return values.view(self.channels, *(1,) * (self.event_dims - 1))

    def _check(self, shape: Shape) -> None:
        """Refuse an event shape with another number of channels: a single one would broadcast silently."""
        if len(shape) != self.event_dims or shape[0] != self.channels:
            raise ValueError(
                f"{type(self).__name__}({self.channels}) takes {self.channels} channels first in "
                f"{self.event_dims} event dimensions, got the event shape {tuple(shape)}"
            )


def event_shape(z: Tensor, event_dims: int, distribution: nn.Module) -> tuple[int, ...]:
    """The event shape of latents.

    Args:
        z: ``batch x event``.
        event_dims: trailing dimensions of one event.
        distribution: named in the message.

    Returns:
        The last ``event_dims`` sizes.

    Raises:
        ValueError: there are fewer dimensions.

    Examples:
        >>> import torch
        >>> event_shape(torch.zeros(5, 3, 4, 4), 3, nn.Identity())
        (3, 4, 4)
    """
    if z.ndim < event_dims:
        raise ValueError(
            f"{type(distribution).__name__} takes {event_dims} event dimensions, got a tensor of shape {tuple(z.shape)}"
        )
    return tuple(z.shape[z.ndim - event_dims :])
