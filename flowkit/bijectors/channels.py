"""What layers over a fixed number of channels share."""

from torch import Tensor

from flowkit.bijector import Bijector, Shape
from flowkit.counts import require_counts

__all__ = ["ChannelBijector", "require_channels"]


class ChannelBijector(Bijector[Tensor, Tensor]):
    """A bijector that keeps the shape and takes a fixed number of channels, the first event dimension.

    Args:
        channels: how many.
        event_dims: 3 for images, 1 for vectors.

    Raises:
        ValueError: a number is under 1; or, when called, the input has another number of channels, or (in a
            composition) of event dimensions.

    Examples:
        >>> from flowkit import LUConv1x1
        >>> isinstance(LUConv1x1(3), ChannelBijector), LUConv1x1(3).output_shape((3, 8, 8))
        (True, (3, 8, 8))
    """

    def __init__(self, channels: int, event_dims: int = 3) -> None:
        super().__init__()
        require_counts(1, channels=channels, event_dims=event_dims)
        self.channels = channels
        self.event_dims = event_dims

    def output_shape(self, shape: Shape) -> Shape:
        """The same shape; ValueError for another number of channels or of dimensions."""
        if len(shape) != self.event_dims:
            raise ValueError(
                f"{type(self).__name__} has event_dims={self.event_dims} and got the event shape {tuple(shape)}: "
                "vectors need a layer of event_dims=1, images one of event_dims=3"
            )
        require_channels(self, self.channels, shape)
        return shape

    def input_shape(self, shape: Shape) -> Shape:
        """The same shape; ValueError for another number of channels or of dimensions."""
        return self.output_shape(shape)


def require_channels(layer: object, channels: int, shape: Shape) -> None:
    """Check the channels of an event shape.

    Args:
        layer: what takes them, for the message.
        channels: how many it takes.
        shape: the event shape.

    Raises:
        ValueError: there are others.

    Examples:
        >>> require_channels([], 3, (4, 8, 8))
        Traceback (most recent call last):
        ...
        ValueError: list(3) got the event shape (4, 8, 8): 4 channels
    """
    if shape[0] != channels:
        raise ValueError(f"{type(layer).__name__}({channels}) got the event shape {tuple(shape)}: {shape[0]} channels")
