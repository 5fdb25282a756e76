"""Convolutional networks that set the parameters of image layers."""

from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.bijectors.actnorm import ActNorm
from flowkit.nn.features import (
    IMAGE,
    FeatureKernel,
    Features,
    Layout,
    channels_of,
    feature_kernel,
    layout_of,
    over_batch,
    packed,
    values_of,
)
from flowkit.nn.kernel import ConvKernel, rectified
from flowkit.nn.scaled_kernel import ScaledKernel
from flowkit.nn.tiled_features import TiledFeatures
from flowkit.nn.winograd_kernel import WinogradKernel
from flowkit.ops.inference_cache import InferenceCache, applies

__all__ = ["ConvConditioner", "ZeroConv2d", "prepare_jointly"]


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

    def _kernel(self, of_inputs: Tensor | None = None) -> ScaledKernel:
        """The scaled kernel and bias.

        Args:
            of_inputs: a factor for each of the inputs as well, which the kernel takes up.
        """
        scale = (3 * self.log_scale).exp()
        factors = scale[:, None] if of_inputs is None else scale[:, None] * of_inputs
        assert self.conv.bias is not None
        return ScaledKernel(self.conv.weight, factors, self.conv.bias * scale)

    def forward(self, x: Tensor) -> Tensor:
        """``batch x in_channels x H x W`` to ``batch x out_channels x H x W``."""
        return over_batch(self._kernel(), x)


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
            context may be :class:`~flowkit.nn.MixedResolution`, whose coarse maps are convolved as they are, or
            :class:`~flowkit.nn.TiledFeatures`, whose transform many networks share.

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
        self._data, self._over = InferenceCache(), InferenceCache()

    @property
    def is_ready(self) -> bool:
        """Whether its norms have their start, and are not about to take it."""
        norms = (self.norm1, self.norm2)
        return all(norm.is_initialized and not norm.collecting for norm in norms)

    def prepare(self, context: Features | None) -> "_Prepared":
        """The first convolution's part over the context; and, for inference, the other kernels with the norms in."""
        channels = 0 if context is None else channels_of(context)
        if (context is None) != (self.context_channels == 0) or channels != self.context_channels:
            got = "none" if context is None else f"one of {channels} channels"
            raise ValueError(f"this conditioner takes a context of {self.context_channels} channels, got {got}")
        kernels = self._kept(IMAGE) if self.is_ready else None
        return _Prepared(None if context is None else self._over_context(context), kernels)

    def forward(self, x: Features, prepared: "_Prepared | None" = None) -> Tensor:
        """``batch x in_channels x H x W`` and what :meth:`prepare` returned to ``batch x out_channels x H x W``."""
        if self.norm1.collecting or self.norm2.collecting:
            self._start(x, None if prepared is None else prepared.hidden)
        hidden, kernels = (None, None) if prepared is None else prepared
        layout = layout_of(x)
        if prepared is None or not isinstance(x, Tensor):
            kernels = self._kept(layout)
        if kernels is None or not applies(values_of(x)):
            kernels = _Kernels(*self._folded(layout))
        return kernels.after_first(kernels.first(x, hidden, slope=0.0))

    def _over_context(self, context: Features) -> Tensor:
        def make() -> FeatureKernel:
            return feature_kernel(self.conv1.weight[:, self.in_channels :], None, layout)

        layout = layout_of(context)
        kept = None if self.training else self._over.get([self.conv1.weight], layout, lambda: make().packed())
        return (kept or make())(context)

    def _kept(self, layout: Layout) -> "_Kernels | None":
        """Those of evaluation mode: made once, while the parameters stay."""

        def make() -> _Kernels:
            first, inner, last = self._folded(layout)
            return _Kernels(first.packed(), packed(inner.multiplied()), packed(last.multiplied()))

        return None if self.training else self._data.get(self._tensors(), layout, make)

    def _tensors(self) -> list[Tensor]:
        conv, norms = self.conv3.conv, (self.norm1, self.norm2)
        assert conv.bias is not None
        of_norms = [tensor for norm in norms for tensor in (norm.bias, norm.log_scale)]
        return [self.conv1.weight, self.conv2.weight, *of_norms, conv.weight, conv.bias, self.conv3.log_scale]

    def _folded(self, layout: Layout) -> tuple[FeatureKernel, ScaledKernel, ScaledKernel]:
        r"""All three, for data of some layout.

        :math:`\operatorname{ReLU}((y + b) e^s) = e^s \operatorname{ReLU}(y + b)`: a norm's shift is the bias of the
        kernel before it, and its scale multiplies the columns of the next.
        """
        (shift1, log_scale1), (shift2, log_scale2) = self.norm1.constants(), self.norm2.constants()
        first = feature_kernel(self.conv1.weight[:, : self.in_channels], shift1, layout)
        inner = ScaledKernel(self.conv2.weight, log_scale1.exp()[None], shift2, padding=(0, 0))
        return first, inner, self.conv3._kernel(log_scale2.exp())

    def _start(self, x: Features, hidden: Tensor | None) -> None:
        """Let the norms start from what reaches them."""
        y = feature_kernel(self.conv1.weight[:, : self.in_channels], None, layout_of(x))(x, hidden)
        y = F.relu(self.norm1(y)[0])
        self.norm2(over_batch(self.conv2, y))


def prepare_jointly(
    reader: ConvConditioner, other: ConvConditioner, features: TiledFeatures
) -> tuple[Tensor, "_Prepared"]:
    """The output of a network whose data are some features, and what another prepares of the same, by shared products.

    Args:
        reader: a network without context, its norms initialised, of as many input channels as the features have.
        other: a network whose context has as many.
        features: ``batch x C x H x W``, as tiles.

    Returns:
        What ``reader(features)`` and ``other.prepare(features)`` return, where gradients are recorded.

    Examples:
        >>> from flowkit import initialize
        >>> from flowkit.nn.tiled_features import tile_features
        >>> reader, other = ConvConditioner(64, 4, 8), ConvConditioner(2, 4, 8, context_channels=64)
        >>> features = torch.rand(1, 64, 8, 8)
        >>> initialize(reader, features)
        >>> output, prepared = prepare_jointly(reader, other, tile_features(features))
        >>> torch.allclose(output, reader(features), atol=1e-4)
        True
    """
    shift, _ = reader.norm1.constants()
    weights = [reader.conv1.weight, other.conv1.weight[:, other.in_channels :]]
    y, hidden = WinogradKernel(weights, [shift, None])(*features)
    kernels = _Kernels(*reader._folded(layout_of(features)))
    return kernels.after_first(rectified(y, 0.0)), _Prepared(hidden, None)


class _Kernels(NamedTuple):
    """What a :class:`ConvConditioner` convolves its data with, the norms folded in."""

    first: FeatureKernel
    inner: ConvKernel
    last: ConvKernel

    def after_first(self, y: Tensor) -> Tensor:
        """The network's output, from what the first convolution made, rectified."""
        # What reads the few channels of the result runs along one at a time.
        return over_batch(lambda part: self.last(self.inner(part, slope=0.0)).contiguous(), y)


class _Prepared(NamedTuple):
    """What a :class:`ConvConditioner` makes of a context.

    Attributes:
        hidden: the first convolution's part over the context, ``batch x hidden_channels x H x W``, if there is one.
        kernels: those of inference, ``None`` where gradients are recorded.
    """

    hidden: Tensor | None
    kernels: _Kernels | None
