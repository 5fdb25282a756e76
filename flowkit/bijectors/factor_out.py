"""Factoring out: half of the channels become latents, normalised given the other half."""

from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import Bijector, Shape, sum_event
from flowkit.bijectors.channels import require_channels
from flowkit.counts import require_counts
from flowkit.half_precision import cast_for
from flowkit.transforms import Affine, BoundedLogScale, split_parameters

__all__ = ["FactorOut"]

LARGEST_LOG_STD = 7.0


class FactorOut(Bijector[Tensor, tuple[Tensor, Tensor]]):
    r"""Cut the channels in two and normalise the second part by a Gaussian that depends on the first.

    .. math:: x = [x_1, x_2] \mapsto (x_1, z), \qquad z = (x_2 - \mu(x_1))\, e^{-s(x_1)}.

    The learned prior of Glow, written as a bijection: the latents leave standardised, and a base distribution
    scores them together with those of the other levels.

    Args:
        channels: channels of ``x``, at least 2; the first ``channels // 2`` go on.
        conditioner: a module from ``x_1`` to ``2 * (channels - channels // 2)`` channels, alternating mean and
            raw log-standard-deviation; it depends on nothing else.
        scale: a module from the raw log-standard-deviation to the log-standard-deviation ``s``;
            :class:`~flowkit.transforms.BoundedLogScale` within 7 by default (a factor of a thousand each way), so that
            no input overflows. Glow's own is ``nn.Identity()``.
        event_dims: 3 for images, 1 for vectors; the channels are the first event dimension.

    Raises:
        ValueError: fewer than 2 channels, or (when called) an input, or the conditioner's output, of another number.

    References:
        L. Dinh, J. Sohl-Dickstein, S. Bengio, "Density estimation using Real NVP", ICLR 2017, sec. 3.6.
        D. P. Kingma, P. Dhariwal, "Glow: Generative Flow with Invertible 1x1 Convolutions", NeurIPS 2018.

    Examples:
        >>> from flowkit import ZeroConv2d
        >>> cut = FactorOut(5, ZeroConv2d(2, 6))
        >>> (kept, latent), log_det = cut(torch.rand(1, 5, 4, 4))
        >>> kept.shape, latent.shape
        (torch.Size([1, 2, 4, 4]), torch.Size([1, 3, 4, 4]))
    """

    def __init__(
        self, channels: int, conditioner: nn.Module, scale: nn.Module | None = None, event_dims: int = 3
    ) -> None:
        super().__init__()
        if channels < 2:
            raise ValueError(f"channels is {channels}; factoring out needs at least 2, one to keep and one to cut off")
        self.channels = channels
        require_counts(1, event_dims=event_dims)
        self.event_dims = event_dims
        self.conditioner = conditioner
        self.scale = BoundedLogScale(LARGEST_LOG_STD) if scale is None else scale
        self.transform = Affine()

    def output_shape(self, shape: Shape) -> Shape:
        """``C x ...`` to the shapes of the part that goes on and of the latents."""
        require_channels(self, self.channels, shape)
        kept = self.channels // 2
        return (kept, *shape[1:]), (self.channels - kept, *shape[1:])

    def input_shape(self, shape: Shape) -> Shape:
        """The shapes of the two parts to ``C x ...``."""
        if len(shape) != 2 or isinstance(shape[0], int):
            raise ValueError(f"FactorOut({self.channels}) joins two parts, got the event shape {shape}")
        kept, latent = shape
        if self.output_shape((self.channels, *kept[1:])) != (tuple(kept), tuple(latent)):
            raise ValueError(f"FactorOut({self.channels}) cannot join parts of the event shapes {kept} and {latent}")
        return self.channels, *kept[1:]

    def _forward(self, x: Tensor, prepared: Any) -> tuple[tuple[Tensor, Tensor], Tensor]:
        kept, dropped = x.split([self.channels // 2, self.channels - self.channels // 2], dim=-self.event_dims)
        z, log_derivative = self.transform(dropped, self._parameters_from(kept))
        return (kept, z), sum_event(log_derivative, self.event_dims, like=z)

    def _inverse(self, z: tuple[Tensor, Tensor], prepared: Any) -> tuple[Tensor, Tensor]:
        kept, latent = z
        dropped, log_derivative = self.transform.inverse(latent, self._parameters_from(kept))
        joined = torch.cat([kept, dropped], dim=-self.event_dims)
        return joined, sum_event(log_derivative, self.event_dims, like=dropped)

    def _parameters_from(self, kept: Tensor) -> tuple[Tensor, Tensor]:
        raw = self.conditioner(cast_for(self.conditioner, kept))
        mean, log_std = split_parameters(raw, 2, self.event_dims, self.channels - self.channels // 2).unbind(-1)
        dtype = torch.promote_types(mean.dtype, torch.float32)
        # The affine transform shifts and then scales: minus the mean, minus the log-standard-deviation.
        return -mean.to(dtype), -self.scale(log_std.to(dtype))
