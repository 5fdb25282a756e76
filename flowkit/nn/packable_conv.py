"""A convolution layer whose kernel is laid out for the processor in inference."""

from torch import Tensor, nn

from flowkit.ops.convolution import Convolution

__all__ = ["PackableConv2d"]


class PackableConv2d(nn.Conv2d):
    r"""``nn.Conv2d`` with a stride of 1 and zeros around the image, :math:`y = w * x + b`, over any batch shape.

    Parameters and their names are those of ``nn.Conv2d``. In evaluation mode and without gradients, in float32 on a
    CPU, the kernel is kept in oneDNN's order in memory as long as it does not change: for small images, reordering it
    at each call takes up to half of the time. :func:`flowkit.ops.why_plain` tells what stands against that.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: side of the kernel, odd: the output has the input's size.
        bias: whether to add one.

    Raises:
        ValueError: the kernel's side is even.

    Examples:
        >>> import torch
        >>> layer = PackableConv2d(3, 5, 3)
        >>> layer(torch.rand(2, 7, 3, 8, 8)).shape
        torch.Size([2, 7, 5, 8, 8])
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, bias: bool = True) -> None:
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size is {kernel_size}; an odd one keeps the image's size")
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=bias)
        self._convolution = Convolution()

    def forward(self, input: Tensor) -> Tensor:
        """``batch x in_channels x H x W`` to ``batch x out_channels x H x W``."""
        edge = self.kernel_size[0] // 2
        parameters = [self.weight] if self.bias is None else [self.weight, self.bias]
        return self._convolution(input, parameters, lambda: (self.weight, self.bias), (edge, edge), self.training)
