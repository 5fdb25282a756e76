"""The first convolution of a conditional network."""

from torch import Tensor, nn

from flowkit.nn.given_context import require_context
from flowkit.nn.mixed_resolution import MixedResolution, enlargement
from flowkit.ops.convolution import conv2d
from flowkit.ops.nearest_conv import nearest_conv2d

__all__ = ["ContextConv2d"]

Maps = Tensor | MixedResolution


class ContextConv2d(nn.Conv2d):
    r"""A 3x3 convolution of data and context, whose part over the context is computed once per context.

    .. math:: y = w_x * x + b + w_c * c, \qquad w = [w_x, w_c]

    Data and context may be :class:`~flowkit.nn.MixedResolution`: their coarse maps are convolved at their own
    resolution.

    Args:
        data_channels: channels of ``x``.
        out_channels: channels of ``y``.
        context_channels: channels of ``c``; 0 for none.
        bias: whether to add one.

    Raises:
        ValueError: (from :meth:`prepare`) a context is missing, or given where none was announced, or has another
            number of channels.

    Examples:
        >>> import torch
        >>> layer = ContextConv2d(2, 5, context_channels=3)
        >>> x, context = torch.rand(4, 2, 8, 8), torch.rand(1, 3, 8, 8)
        >>> layer(x, layer.prepare(context)).shape
        torch.Size([4, 5, 8, 8])
    """

    def __init__(self, data_channels: int, out_channels: int, context_channels: int = 0, bias: bool = True) -> None:
        super().__init__(data_channels + context_channels, out_channels, 3, padding=1, bias=bias)
        self.data_channels = data_channels
        self.context_channels = context_channels

    @property
    def context_dims(self) -> int | None:
        """Dimensions of the context of one sample; ``None`` without one."""
        return 3 if self.context_channels else None

    def prepare(self, context: Maps | None) -> Tensor | None:
        """:math:`w_c * c`, ``batch x out_channels x H x W``; ``None`` for no context."""
        if isinstance(context, MixedResolution):
            _require_channels(context, self.context_channels)
        else:
            require_context(context, self.context_channels, 3, self.weight)
        # A call, so that hooks which make the weight (pruning, weight norms) run before it is read.
        return None if context is None else self(None, context=context)

    def forward(self, x: Maps | None, prepared: Tensor | None = None, context: Maps | None = None) -> Tensor:
        """The convolution of the data, plus what was prepared; or that of a context alone.

        Args:
            x: the data, ``batch x data_channels x H x W``; ``None`` where a context is given.
            prepared: what :meth:`prepare` returned, of a batch shape that broadcasts to that of ``x``.
            context: ``batch x context_channels x H x W``.

        Returns:
            ``batch x out_channels x H x W``.
        """
        if x is None:
            assert context is not None
            return _convolve(context, self.weight[:, self.data_channels :], None)
        return self.over_data(x, prepared, self.bias)

    def over_data(self, x: Maps, prepared: Tensor | None, bias: Tensor | None) -> Tensor:
        """The convolution of the data by some other bias, plus what was prepared."""
        y = _convolve(x, self.weight[:, : self.data_channels], bias)
        return y if prepared is None else y + prepared


def _convolve(x: Maps, weight: Tensor, bias: Tensor | None) -> Tensor:
    if not isinstance(x, MixedResolution):
        return conv2d(x, weight, bias)
    weight_fine, weight_coarse = weight.split([weight.shape[1] - x.coarse.shape[-3], x.coarse.shape[-3]], 1)
    factor = enlargement(x.fine.shape[-2:], x.coarse)
    return conv2d(x.fine, weight_fine, bias) + nearest_conv2d(x.coarse, weight_coarse, factor)


def _require_channels(context: MixedResolution, expected: int) -> None:
    # Here and above not the properties of MixedResolution: torch 2.6 compiles none of a named tuple.
    channels = context.fine.shape[-3] + context.coarse.shape[-3]
    if channels != expected:
        raise ValueError(f"this network takes a context of {expected} channels, got one of {channels} channels")
