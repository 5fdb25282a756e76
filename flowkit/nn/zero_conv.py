"""A convolution that starts at zero."""

import torch
from torch import Tensor, nn

from flowkit.nn.conv2d import Conv2d
from flowkit.recorded import Recorded

__all__ = ["ZeroConv2d"]


class ZeroConv2d(Recorded, nn.Module):
    r"""A 3x3 convolution that starts at zero, its output scaled per channel by :math:`e^{3 l}`.

    Args:
        in_channels: channels of the input.
        out_channels: channels of the output.

    References:
        D. P. Kingma, P. Dhariwal, "Glow: Generative Flow with Invertible 1x1 Convolutions", NeurIPS 2018, sec. 3.3.

    Examples:
        >>> ZeroConv2d(3, 2)(torch.rand(1, 3, 4, 4)).abs().max().item()
        0.0
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.conv = Conv2d(in_channels, out_channels, 3)
        self.log_scale = nn.Parameter(torch.zeros(out_channels))
        nn.init.zeros_(self.conv.weight)
        assert self.conv.bias is not None
        nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        """``batch x in_channels x H x W`` to ``batch x out_channels x H x W``."""
        return self.conv(x) * (3 * self.log_scale).exp()[:, None, None]

    def kernel(self, scale_in: Tensor) -> tuple[Tensor, Tensor]:
        """Weight and bias of the scaled convolution of an input whose channels are multiplied by a factor each."""
        assert self.conv.bias is not None
        scale = (3 * self.log_scale).exp()
        return self.conv.weight * torch.outer(scale, scale_in)[..., None, None], self.conv.bias * scale
