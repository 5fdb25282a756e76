"""A convolution layer that is laid out for the processor in inference."""

from collections.abc import Mapping

from torch import Tensor, nn

from flowkit.nn.features import packed
from flowkit.nn.kernel import ConvKernel, Kernel
from flowkit.ops.inference_cache import InferenceCache, applies

__all__ = ["PackableConv2d", "PackedConvs"]


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

    def forward(self, input: Tensor, slope: float | None = None, kernel: ConvKernel | None = None) -> Tensor:
        """``batch x in_channels x H x W`` to ``batch x out_channels x H x W``; with a slope, a leaky ReLU follows.

        Args:
            input: the image.
            slope: of the leaky ReLU.
            kernel: what :class:`PackedConvs` keeps of this layer; ``None``: what it keeps itself.
        """
        if kernel is None and not self.training and applies(input):
            kernel = self._cache.get(self.tensors(), "kernel", self.packed)
        return (kernel or self.plain())(input, slope=slope)

    def tensors(self) -> list[Tensor]:
        """The parameters that there are."""
        return [self.weight] if self.bias is None else [self.weight, self.bias]

    def packed(self) -> ConvKernel:
        """The kernel as it is now, laid out for the processor where that is possible."""
        return packed(self.plain())

    def plain(self) -> ConvKernel:
        """The kernel as it is now."""
        side = self.kernel_size[0] // 2
        return Kernel(self.weight, self.bias, padding=(side, side))


class PackedConvs:
    r"""The kernels of all :class:`PackableConv2d`\ s of a network, :math:`w_i * x + b_i`, kept together.

    A layer looks at each call whether its parameters have changed. In a network of hundreds of layers that takes longer
    than looking at all of them at once.

    Args:
        network: the layers are those that it has at each call.

    References:
        As :class:`PackableConv2d`.

    Examples:
        >>> import torch
        >>> network = nn.Sequential(PackableConv2d(3, 5, 3), PackableConv2d(5, 2, 3)).eval()
        >>> convs, x = PackedConvs(network), torch.rand(1, 3, 8, 8)
        >>> with torch.no_grad():
        ...     kernels = convs.get(x)
        ...     hidden = network[0](x, kernel=kernels.get(network[0]))
        >>> len(kernels), hidden.shape
        (2, torch.Size([1, 5, 8, 8]))
    """

    def __init__(self, network: nn.Module) -> None:
        self.network = network
        self._cache = InferenceCache()

    def get(self, x: Tensor) -> Mapping[nn.Module, ConvKernel]:
        """The kernels by layer; none in training, or where nothing may be kept.

        Args:
            x: the network's input.
        """
        if self.network.training or not applies(x):
            return {}
        convs = [module for module in self.network.modules() if isinstance(module, PackableConv2d)]
        tensors = [tensor for conv in convs for tensor in conv.tensors()]
        return self._cache.get(tensors, "kernels", lambda: {conv: conv.packed() for conv in convs}) or {}
