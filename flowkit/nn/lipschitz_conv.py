"""Convolutional networks that bring no two images further apart than a stated factor allows."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from flowkit.nn.given_context import require_context
from flowkit.nn.lipschitz import PreparedWeights
from flowkit.nn.lipswish import LipSwish
from flowkit.ops.convolution import conv2d
from flowkit.ops.precision import at_least_float32, without_autocast
from flowkit.recorded import Recorded

__all__ = ["LipschitzConv2d", "LipschitzConvNet", "conv_norm_bound"]

# Frequencies looked at for each tap on one side of the centre, in either direction.
FREQUENCIES = 8


def conv_norm_bound(weight: Tensor) -> Tensor:
    r"""A bound on the spectral norm of a convolution, of images of any size that are zero outside.

    .. math:: \|K\|_2 \le \sup_\theta \|\hat K(\theta)\|_2
              \le \frac{1}{\cos^2(\pi / 8)} \max_j \|\hat K(\theta_j)\|_2

    The supremum is over all frequencies, the maximum over a grid of 8 for each tap to either side of the centre: a
    trigonometric polynomial is nowhere larger than that. So the bound is never too low, and at most 1.18 times the
    norm on large images; for a 1x1 convolution it is exact.

    Args:
        weight: ``out x in x size x size``, the size odd; float32 or float64.

    Returns:
        A number.

    References:
        Sedghi, Gupta and Long, The singular values of convolutional layers, 2019 (the norm in the Fourier domain).
        Ehlich and Zeller, Schwankung von Polynomen zwischen Gitterpunkten, 1964 (between the points of the grid).

    Examples:
        >>> conv_norm_bound(2 * torch.ones(1, 1, 1, 1))
        tensor(2.)
    """
    radius = weight.shape[-1] // 2
    if radius == 0:
        return torch.linalg.matrix_norm(weight[..., 0, 0], 2)
    size = FREQUENCIES * radius
    # The real weights make the other half of the frequencies the conjugates of these.
    matrices = torch.fft.rfft2(weight, s=(size, size)).movedim((0, 1), (-2, -1))
    return torch.linalg.matrix_norm(matrices, 2).amax() / math.cos(math.pi / FREQUENCIES) ** 2


class LipschitzConv2d(nn.Conv2d):
    r"""A convolution of bounded spectral norm, which keeps the image's size: :math:`y = \bar w * x + b`.

    .. math:: \bar w = w \min\left(1, \frac{c}{\beta(w)}\right), \qquad \|w\,*\|_2 \le \beta(w)

    so that :math:`\|y(x) - y(x')\| \le c\, \|x - x'\|` for *any* parameters and images of any size;
    :math:`\beta` is :func:`conv_norm_bound`.

    Args:
        in_channels: of the input.
        out_channels: of the output.
        kernel_size: height and width of the kernel, odd.
        coefficient: ``c``, the largest spectral norm; greater than 0.
        bias: whether there is a ``b``.

    Raises:
        ValueError: the coefficient is not positive, or the kernel's size is even.

    References:
        Behrmann, Grathwohl, Chen, Duvenaud and Jacobsen, "Invertible Residual Networks", ICML 2019, section 2.1.

    Examples:
        >>> LipschitzConv2d(3, 5)(torch.rand(2, 3, 4, 6)).shape
        torch.Size([2, 5, 4, 6])
    """

    def __init__(
        self, in_channels: int, out_channels: int, kernel_size: int = 3, coefficient: float = 0.97, bias: bool = True
    ) -> None:
        if not coefficient > 0:
            raise ValueError(f"coefficient is {coefficient}; a Lipschitz constant is greater than 0")
        if kernel_size % 2 == 0:
            raise ValueError(f"kernel_size is {kernel_size}; a kernel with a centre is of odd size")
        super().__init__(in_channels, out_channels, kernel_size, padding=kernel_size // 2, bias=bias)
        self.coefficient = coefficient

    def bounded_weight(self) -> Tensor:
        """The weight that is applied: the norm of its convolution is at most ``c``."""
        with without_autocast(self.weight.device):
            weight = at_least_float32(self.weight)
            return weight / (conv_norm_bound(weight) / self.coefficient).clamp(min=1)

    def forward(self, x: Tensor) -> Tensor:
        """``batch x in_channels x H x W`` to ``batch x out_channels x H x W``."""
        return conv2d(x, self.bounded_weight().to(self.weight.dtype), self.bias)


class LipschitzConvNet(Recorded, nn.Module):
    r"""A convolutional network with a Lipschitz constant of at most ``coefficient``, for *any* parameters.

    .. math:: \|g(x, c) - g(x', c)\| \le \kappa \, \|x - x'\|

    What :class:`~flowkit.nn.LipschitzMLP` is for vectors, for :class:`~flowkit.Residual` on images
    (``Residual(network, event_dims=3)``): the first and the last convolution are 3x3, those between 1x1, and each has a
    spectral norm of at most :math:`\kappa^{1/n}`. The last one starts small, not at zero, so that every parameter gets
    a gradient.

    Args:
        channels: of the input and of the output.
        hidden: channels of the layers between, at least one.
        context_channels: channels of the context, an image of the same size, which is added to the first layer; 0 for
            none.
        coefficient: :math:`\kappa`, in the open interval (0, 1).

    Raises:
        ValueError: the coefficient is outside (0, 1), or there is no hidden layer; or, when called, the input has other
            channels, or a context is missing, superfluous or of other channels.

    References:
        Chen, Behrmann, Duvenaud and Jacobsen, "Residual Flows for Invertible Generative Modeling", NeurIPS 2019,
        appendix E.1.

    Examples:
        >>> network = LipschitzConvNet(3, hidden=(8,))
        >>> network(torch.rand(5, 3, 4, 6)).shape
        torch.Size([5, 3, 4, 6])
    """

    def __init__(
        self,
        channels: int,
        hidden: Sequence[int] = (32, 32),
        context_channels: int = 0,
        coefficient: float = 0.97,
    ) -> None:
        super().__init__()
        if not 0 < coefficient < 1:
            raise ValueError(f"coefficient is {coefficient}; a contraction's lies between 0 and 1, both excluded")
        if not hidden:
            raise ValueError("hidden is empty; a network of contractions needs a hidden layer")
        self.channels = channels
        self.context_channels = context_channels
        widths = [channels, *hidden, channels]
        sizes = [3, *[1] * (len(hidden) - 1), 3]
        per_layer = coefficient ** (1 / len(sizes))
        layers = [LipschitzConv2d(*pair, size, per_layer) for pair, size in zip(pairwise(widths), sizes, strict=True)]
        self.layers = nn.ModuleList(layers)
        self.activations = nn.ModuleList(LipSwish() for _ in hidden)
        self.context_layer = (
            nn.Conv2d(context_channels, widths[1], 3, padding=1, bias=False) if context_channels else None
        )
        nn.init.normal_(layers[-1].weight, std=0.01)
        if layers[-1].bias is not None:
            nn.init.zeros_(layers[-1].bias)

    @property
    def context_dims(self) -> int | None:
        """Dimensions of the context of one sample; ``None`` without one."""
        return 3 if self.context_channels else None

    def prepare(self, context: Tensor | None) -> PreparedWeights:
        """The bounded weights and the context's part of the first layer.

        Args:
            context: ``batch x context_channels x H x W``, or ``None`` for a network without.

        Returns:
            What the call takes in place of the context.
        """
        require_context(context, self.context_channels, 3, self._convolutions()[0].weight)
        weights = tuple(layer.bounded_weight() for layer in self._convolutions())
        if context is None or self.context_layer is None:
            return PreparedWeights(weights, None)
        with without_autocast(context.device):
            weight = self.context_layer.weight
            return PreparedWeights(weights, conv2d(context.to(weight.dtype), weight))

    def forward(self, x: Tensor, prepared: PreparedWeights | None = None) -> Tensor:
        """``batch x channels x H x W`` and what :meth:`prepare` returned (``None``: no context) to the same shape."""
        if x.shape[-3] != self.channels:
            raise ValueError(f"this network takes {self.channels} channels, got an input of shape {tuple(x.shape)}")
        weights, shift = self.prepare(None) if prepared is None else prepared
        first, *others = zip(weights, self._convolutions(), strict=True)
        x = conv2d(x, first[0], first[1].bias)
        if shift is not None:
            x = x + shift
        for activation, (weight, layer) in zip(self.activations, others, strict=True):
            x = conv2d(activation(x), weight, layer.bias)
        return x

    def _convolutions(self) -> list[LipschitzConv2d]:
        return list(self.layers)  # type: ignore[arg-type]
