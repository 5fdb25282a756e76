"""Convolutional networks that set the parameters of image layers."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.bijectors.actnorm import ActNorm
from flowkit.nn.features import Features, channels_of, convolve, over_batch

__all__ = ["ConvConditioner", "ZeroConv2d"]


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

    def forward(self, x: Tensor, input_scale: Tensor | None = None) -> Tensor:
        """``batch x in_channels x H x W`` to ``batch x out_channels x H x W``.

        ``input_scale``, a factor per channel of the input, gives the result for the scaled input.
        """
        scale = (3 * self.log_scale).exp()
        weight = self.conv.weight * scale.view(-1, 1, 1, 1)
        if input_scale is not None:
            weight = weight * input_scale.view(-1, 1, 1)
        assert self.conv.bias is not None
        bias = self.conv.bias * scale
        return over_batch(lambda part: F.conv2d(part, weight, bias, padding=1), x)


class ConvConditioner(nn.Module):
    r"""The sub-network of Glow and SRFlow: 3x3, 1x1 and 3x3 convolutions, actnorm and ReLU between.

    .. math:: r = C_3\, \operatorname{ReLU}\, A_2\, C_2\, \operatorname{ReLU}\, A_1\, C_1 [x, c]

    The first convolution is linear, so its part over the context is computed apart, once per context, by
    :meth:`prepare`, and added. The last starts at zero: a new coupling changes nothing but by its scale at 0.

    Args:
        in_channels: channels of the data that it sees.
        out_channels: channels of its output.
        hidden_channels: width.
        context_channels: channels of the context, whose height and width are those of the data; 0 for none. Data and
            context may be :class:`~flowkit.MixedResolution`, whose coarse maps are convolved as they are.

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

    def prepare(self, context: Features | None) -> Tensor | None:
        """The first convolution's part over the context, ``batch x hidden_channels x H x W``; ``None`` for none."""
        channels = 0 if context is None else channels_of(context)
        if (context is None) != (self.context_channels == 0) or channels != self.context_channels:
            got = "none" if context is None else f"one of {channels} channels"
            raise ValueError(f"this conditioner takes a context of {self.context_channels} channels, got {got}")
        if context is None:
            return None
        return convolve(context, self.conv1.weight[:, self.in_channels :])

    def forward(self, x: Features, prepared: Tensor | None = None) -> Tensor:
        """``batch x in_channels x H x W`` and what :meth:`prepare` returned to ``batch x out_channels x H x W``."""
        weight = self.conv1.weight[:, : self.in_channels]

        def first(bias: Tensor | None) -> Tensor:
            hidden = convolve(x, weight, bias)
            return hidden if prepared is None else hidden + prepared

        hidden, scale = _rectified(self.norm1, first)
        inner = self.conv2.weight * scale.view(-1, 1, 1)
        hidden, scale = _rectified(self.norm2, lambda bias: over_batch(lambda h: F.conv2d(h, inner, bias), hidden))
        return self.conv3(hidden, scale)


def _rectified(norm: ActNorm, convolution: Callable[[Tensor | None], Tensor]) -> tuple[Tensor, Tensor]:
    r"""``ReLU`` of a normalised convolution as :math:`e^s \operatorname{ReLU}(y + b)`: the second factor and the first.

    The shift is the convolution's bias, and the scale, which is positive, may wait for the next one's kernel: no pass
    over the image is left of the norm.
    """
    if norm.collecting:
        norm(convolution(None))
    bias, log_scale = norm.constants()
    return convolution(bias).relu_(), log_scale.exp()
