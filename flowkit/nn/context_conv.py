"""The first convolution of a conditional network."""

from torch import Tensor, nn

from flowkit.nn.mixed_resolution import MixedResolution
from flowkit.ops.convolution import Convolution
from flowkit.ops.in_place import added
from flowkit.ops.nearest_conv import spread_taps, tap_weight

__all__ = ["ContextConv2d"]

Maps = Tensor | MixedResolution
Columns = tuple[int, int]


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
        self._convolution = Convolution()

    def prepare(self, context: Maps | None) -> Tensor | None:
        """:math:`w_c * c`, ``batch x out_channels x H x W``; ``None`` for no context."""
        channels = 0 if context is None else _channels(context)
        if (context is None) != (self.context_channels == 0) or channels != self.context_channels:
            got = "none" if context is None else f"one of {channels} channels"
            raise ValueError(f"this conditioner takes a context of {self.context_channels} channels, got {got}")
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
            return self._convolve(context, (self.data_channels, self.in_channels), None)
        y = self._convolve(x, (0, self.data_channels), self.bias)
        return y if prepared is None else added(y, prepared)

    def _convolve(self, x: Maps, columns: Columns, bias: Tensor | None) -> Tensor:
        """Convolution by some of the kernel's input channels."""
        if not isinstance(x, MixedResolution):
            return self._by_columns(x, columns, bias)
        start, stop = columns
        middle = stop - x.coarse.shape[-3]
        fine = self._by_columns(x.fine, (start, middle), bias)
        if x.factor == 1:
            return added(fine, self._by_columns(x.coarse, (middle, stop), None))
        return added(fine, spread_taps(self._taps(x.coarse, (middle, stop)), x.factor))

    def _by_columns(self, x: Tensor, columns: Columns, bias: Tensor | None) -> Tensor:
        weight = self.weight
        parameters = [weight] if bias is None else [weight, bias]

        def kernel() -> tuple[Tensor, Tensor | None]:
            return weight[:, slice(*columns)], bias

        return self._convolution(x, parameters, kernel, (1, 1), self.training, columns)

    def _taps(self, x: Tensor, columns: Columns) -> Tensor:
        weight = self.weight

        def kernel() -> tuple[Tensor, None]:
            return tap_weight(weight[:, slice(*columns)]), None

        return self._convolution(x, [weight], kernel, (0, 0), self.training, ("taps", columns))


def _channels(x: Maps) -> int:
    return x.channels if isinstance(x, MixedResolution) else x.shape[-3]
