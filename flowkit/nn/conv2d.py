"""A convolution layer over any batch shape."""

from torch import Tensor, nn

from flowkit.ops.convolution import conv2d

__all__ = ["Conv2d"]


class Conv2d(nn.Conv2d):
    r"""``nn.Conv2d`` with a stride of 1 and zeros around the image, :math:`y = w * x + b`, over any batch shape.

    Parameters and their names are those of ``nn.Conv2d``, which may take its place where there is one batch dimension.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: side of the kernel, odd: the output has the input's size.
        bias: whether to add one.

    Raises:
        ValueError: the kernel's side is even.

    Examples:
        >>> import torch
        >>> Conv2d(3, 5, 3)(torch.rand(2, 7, 3, 8, 8)).shape
        torch.Size([2, 7, 5, 8, 8])
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, bias: bool = True) -> None:
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size is {kernel_size}; an odd one keeps the image's size")
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=bias)

    def forward(self, input: Tensor) -> Tensor:
        """``batch x in_channels x H x W`` to ``batch x out_channels x H x W``."""
        return conv2d(input, self.weight, self.bias)
