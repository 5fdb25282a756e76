"""The convolutional network that sets the parameters of image layers."""

import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.bijectors.actnorm import ActNorm
from flowkit.hooks import why_called
from flowkit.nn.context_conv import ContextConv2d
from flowkit.nn.conv2d import Conv2d
from flowkit.nn.mixed_resolution import MixedResolution
from flowkit.nn.zero_conv import ZeroConv2d
from flowkit.ops.convolution import conv2d
from flowkit.recorded import Recorded
from flowkit.transforms.affine import Affine

__all__ = ["ConvConditioner"]


class ConvConditioner(Recorded, nn.Module):
    r"""The sub-network of Glow and SRFlow: 3x3, 1x1 and 3x3 convolutions, actnorm and ReLU between.

    .. math:: r = C_3\, \operatorname{ReLU}\, A_2\, C_2\, \operatorname{ReLU}\, A_1\, C_1 [x, c]

    The first convolution is linear, so its part over the context is computed apart, once per context, by
    :meth:`prepare`, and added. The last starts at zero: a new coupling changes nothing but by its scale at 0.

    Args:
        in_channels: channels of the data that it sees.
        out_channels: channels of its output.
        hidden_channels: width.
        context_channels: channels of the context, whose height and width are those of the data; 0 for none. Data and
            context may be :class:`~flowkit.nn.MixedResolution`, whose coarse maps are convolved as they are.

    Raises:
        ValueError: a context is missing, or given where none was announced, or has another number of channels.

    References:
        D. P. Kingma, P. Dhariwal, "Glow: Generative Flow with Invertible 1x1 Convolutions", NeurIPS 2018.
        A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "SRFlow: Learning the Super-Resolution Space with
        Normalizing Flow", ECCV 2020.

    Examples:
        >>> import torch
        >>> from flowkit import initialize
        >>> net = ConvConditioner(2, 6, hidden_channels=8, context_channels=3)
        >>> x, context = torch.rand(1, 2, 4, 4), torch.rand(1, 3, 4, 4)
        >>> initialize(net, x, net.prepare(context))
        >>> net(x, net.prepare(context)).shape
        torch.Size([1, 6, 4, 4])
    """

    def __init__(self, in_channels: int, out_channels: int, hidden_channels: int, context_channels: int = 0) -> None:
        super().__init__()
        self.conv1 = ContextConv2d(in_channels, hidden_channels, context_channels, bias=False)
        self.norm1 = ActNorm(hidden_channels)
        self.conv2 = Conv2d(hidden_channels, hidden_channels, 1, bias=False)
        self.norm2 = ActNorm(hidden_channels)
        self.conv3 = ZeroConv2d(hidden_channels, out_channels)
        # Small weights; the data-dependent start of the norms sets the scale.
        nn.init.normal_(self.conv1.weight, std=0.05)
        nn.init.normal_(self.conv2.weight, std=0.05)

    def prepare(self, context: Tensor | MixedResolution | None) -> Tensor | None:
        """The first convolution's part over the context, ``batch x hidden_channels x H x W``; ``None`` for none."""
        return self.conv1.prepare(context)

    def forward(self, x: Tensor | MixedResolution, prepared: Tensor | None = None) -> Tensor:
        """``batch x in_channels x H x W`` and what :meth:`prepare` returned to ``batch x out_channels x H x W``."""
        if self.why_plain() is None:
            return self._with_norms_folded(x, prepared)
        y = self.conv1(x, prepared)
        y = F.relu(self.norm1(y)[0])
        y = F.relu(self.norm2(self.conv2(y))[0])
        return self.conv3(y)

    def why_plain(self) -> str | None:
        """Why the layers are called one by one; ``None`` where the norms are folded into the kernels beside them."""
        reason = why_called(
            [
                (self.conv1, ContextConv2d),
                (self.norm1, ActNorm),
                (self.conv2, Conv2d),
                (self.norm2, ActNorm),
                (self.conv3, ZeroConv2d),
                # What replaced a layer may lack these; the reason found then is that it replaced one.
                (getattr(self.norm1, "transform", None), Affine),
                (getattr(self.norm2, "transform", None), Affine),
                (getattr(self.conv3, "conv", None), Conv2d),
            ]
        )
        if reason is None and (self.norm1.waits_for_start or self.norm2.waits_for_start):
            return "a norm waits for its start"
        return reason

    def _with_norms_folded(self, x: Tensor | MixedResolution, prepared: Tensor | None) -> Tensor:
        r"""The same network in fewer passes over the image, which also leave less in memory for the gradients.

        :math:`\operatorname{ReLU}((y + b) e^s) = e^s \operatorname{ReLU}(y + b)`: a norm's shift is the bias of the
        kernel before it, and its scale multiplies the columns of the next.
        """
        first, second = self.norm1, self.norm2
        y = F.relu(self.conv1.over_data(x, prepared, first.bias))
        y = F.relu(conv2d(y, self.conv2.weight * first.log_scale.exp()[:, None, None], second.bias))
        return conv2d(y, *self.conv3.kernel(second.log_scale.exp()))
