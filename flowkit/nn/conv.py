"""Convolutional networks that set the parameters of image layers."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.bijectors.actnorm import ActNorm

__all__ = ["ConvConditioner", "ZeroConv2d"]


def _over_batch(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Run an image function, which knows one batch dimension, over any number of them."""
    batch = x.shape[:-3]
    y = function(x.reshape(-1, *x.shape[-3:]))
    return y.reshape(*batch, *y.shape[-3:])


class ZeroConv2d(nn.Module):
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
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)
        self.log_scale = nn.Parameter(torch.zeros(out_channels))
        nn.init.zeros_(self.conv.weight)
        assert self.conv.bias is not None
        nn.init.zeros_(self.conv.bias)

    def forward(self, x: Tensor) -> Tensor:
        """``batch x in_channels x H x W`` to ``batch x out_channels x H x W``."""
        return _over_batch(self.conv, x) * (3 * self.log_scale).exp().view(-1, 1, 1)


class ConvConditioner(nn.Module):
    r"""The sub-network of Glow and SRFlow: 3x3, 1x1 and 3x3 convolutions, actnorm and ReLU between.

    .. math:: r = C_3\, \operatorname{ReLU}\, A_2\, C_2\, \operatorname{ReLU}\, A_1\, C_1 [x, c]

    The first convolution is linear, so its part over the context is computed apart, once per context, by
    :meth:`prepare`, and added. The last starts at zero: a new coupling changes nothing but by its scale at 0.

    Args:
        in_channels: channels of the data that it sees.
        out_channels: channels of its output.
        hidden_channels: width.
        context_channels: channels of the context, whose height and width are those of the data; 0 for none.

    Raises:
        ValueError: a context is missing, or given where none was announced, or has another number of channels.

    References:
        D. P. Kingma, P. Dhariwal, "Glow: Generative Flow with Invertible 1x1 Convolutions", NeurIPS 2018.
        A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "SRFlow: Learning the Super-Resolution Space with
        Normalizing Flow", ECCV 2020.

    Examples:
        >>> from flowkit import initialize
        >>> net = ConvConditioner(2, 6, hidden_channels=8, context_channels=3)
        >>> x, context = torch.rand(1, 2, 4, 4), torch.rand(1, 3, 4, 4)
        >>> initialize(net, x, net.prepare(context))
        >>> net(x, net.prepare(context)).shape
        torch.Size([1, 6, 4, 4])
    """

    def __init__(self, in_channels: int, out_channels: int, hidden_channels: int, context_channels: int = 0) -> None:
        super().__init__()
        self.in_channels = in_channels
        self.context_channels = context_channels
        self.conv1 = nn.Conv2d(in_channels + context_channels, hidden_channels, 3, padding=1, bias=False)
        self.norm1 = ActNorm(hidden_channels)
        self.conv2 = nn.Conv2d(hidden_channels, hidden_channels, 1, bias=False)
        self.norm2 = ActNorm(hidden_channels)
        self.conv3 = ZeroConv2d(hidden_channels, out_channels)
        # Small weights; the data-dependent start of the norms sets the scale.
        nn.init.normal_(self.conv1.weight, std=0.05)
        nn.init.normal_(self.conv2.weight, std=0.05)

    def prepare(self, context: Tensor | None) -> Tensor | None:
        """The first convolution's part over the context, ``batch x hidden_channels x H x W``; ``None`` for none."""
        if (context is None) != (self.context_channels == 0) or (
            context is not None and context.shape[-3] != self.context_channels
        ):
            got = "none" if context is None else f"one of shape {tuple(context.shape)}"
            raise ValueError(f"this conditioner takes a context of {self.context_channels} channels, got {got}")
        if context is None:
            return None
        weight = self.conv1.weight[:, self.in_channels :]
        return _over_batch(lambda c: F.conv2d(c, weight, padding=1), context)

    def forward(self, x: Tensor, prepared: Tensor | None = None) -> Tensor:
        """``batch x in_channels x H x W`` and what :meth:`prepare` returned to ``batch x out_channels x H x W``."""
        weight = self.conv1.weight[:, : self.in_channels]
        hidden = _over_batch(lambda part: F.conv2d(part, weight, padding=1), x)
        if prepared is not None:
            hidden = hidden + prepared
        hidden = F.relu(self.norm1(hidden)[0])
        hidden = F.relu(self.norm2(_over_batch(self.conv2, hidden))[0])
        return self.conv3(hidden)
