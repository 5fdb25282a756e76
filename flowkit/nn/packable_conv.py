"""A convolution layer that is laid out for the processor in inference."""

from torch import Tensor, nn

from flowkit.nn.features import packed
from flowkit.nn.inference_cache import InferenceCache, applies
from flowkit.nn.kernel import ConvKernel, Kernel

__all__ = ["PackableConv2d"]


class PackableConv2d(nn.Conv2d):
    r"""``nn.Conv2d`` with a stride of 1 and zeros around, :math:`w * x + b`, and an activation in the same pass.

    Parameters and their names are those of ``nn.Conv2d``. In evaluation mode and without gradients, in float32 on a
    CPU, the kernel is kept in oneDNN's order in memory as long as it does not change: the encoders of flows have many
    small images, for which reordering it at each call takes a third of the time.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.
        kernel_size: side of the kernel, odd: the output has the input's size.
        bias: whether to add one.

    Raises:
        ValueError: the kernel's side is even.

    References:
        The order in memory is that of oneDNN, the library that PyTorch convolves with on CPUs.

    Examples:
        >>> import torch
        >>> layer = PackableConv2d(3, 5, 3).eval()
        >>> x = torch.rand(1, 3, 8, 8)
        >>> with torch.no_grad():
        ...     expected = nn.functional.leaky_relu(nn.Conv2d.forward(layer, x), 0.2)
        ...     torch.allclose(layer(x, slope=0.2), expected, atol=1e-6)
        True
    """

    def __init__(self, in_channels: int, out_channels: int, kernel_size: int, bias: bool = True) -> None:
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size is {kernel_size}; an odd one keeps the image's size")
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=bias)
        self._cache = InferenceCache()

    def forward(self, input: Tensor, slope: float | None = None) -> Tensor:
        """``batch x in_channels x H x W`` to ``batch x out_channels x H x W``; with a slope, a leaky ReLU follows."""
        kernel: ConvKernel | None = None
        if not self.training and applies(input):
            tensors = [self.weight] if self.bias is None else [self.weight, self.bias]
            kernel = self._cache.get(tensors, "kernel", lambda: packed(self._kernel()))
        return (kernel or self._kernel())(input, slope=slope)

    def _kernel(self) -> Kernel:
        side = self.kernel_size[0] // 2
        return Kernel(self.weight, self.bias, padding=(side, side))
