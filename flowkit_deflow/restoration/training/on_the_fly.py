"""Degraded versions of clean crops, and noise that is added to them, made as training goes on."""

import torch
from torch import Tensor

from flowkit_deflow.degraders.degrader import SupportsDegrade
from flowkit_deflow.degraders.handwritten.pipeline import HandWritten
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.images.resize import bicubic_downsample

__all__ = ["ExtraNoise", "OnTheFly"]

LEVELS = 255


class ExtraNoise:
    r"""Adds white noise to degraded crops, :math:`y + \sigma \epsilon`, cut to [0, 1] and rounded to 8 bits.

    Args:
        std: :math:`\sigma`; at 0 crops stay as they are.
        seed: the noise depends on this and on the step alone.

    Examples:
        >>> crops = torch.rand(2, 3, 8, 8)
        >>> ExtraNoise(0.0, seed=0)(crops, step=7) is crops
        True
    """

    def __init__(self, std: float, seed: int) -> None:
        self.std = std
        self.seed = seed

    def __call__(self, degraded: Tensor, step: int) -> Tensor:
        """Crops ``B x 3 x H x W`` in [0, 1] to noisier ones."""
        if not self.std:
            return degraded
        noise = torch.randn(degraded.shape, generator=seeded_generator(self.seed, "extra noise", step))
        return _rounded((degraded + self.std * noise.to(degraded)).clamp(0, 1))


class OnTheFly:
    r"""Downsamples clean crops and degrades them: :math:`y \sim p_\tau(y \mid \operatorname{bicubic}_s(x))`.

    The result is rounded to 8 bits, as the images are that the network will be applied to.

    Args:
        degrader: anything that degrades.
        scale: the clean crop's size over the degraded one's.
        temperature: range of the degrader's temperature, one of which is drawn in each step.
        seed: what is drawn depends on this and on the step alone.

    Raises:
        UserError: the degrader makes images smaller, and by no divisor of ``scale``.

    Examples:
        >>> from flowkit_deflow.degraders.white_noise import WhiteNoise
        >>> make = OnTheFly(WhiteNoise(0.1), scale=4, temperature=(1.0, 1.0), seed=0)
        >>> make(torch.rand(2, 3, 32, 32), step=7).shape
        torch.Size([2, 3, 8, 8])
    """

    def __init__(self, degrader: SupportsDegrade, scale: int, temperature: tuple[float, float], seed: int) -> None:
        # A hand-written pipeline may make images smaller itself.
        own = degrader.scale if isinstance(degrader, HandWritten) else 1
        if scale % own:
            raise UserError(
                f"the degrader makes images {own} times smaller, but the restorer enlarges them {scale} times; "
                "set --scale to a multiple of the degrader's"
            )
        self.degrader = degrader
        self.factor = scale // own
        self.low, self.high = temperature
        self.seed = seed

    @torch.no_grad()
    def __call__(self, clean: Tensor, step: int) -> Tensor:
        """``B x 3 x S x S`` in [0, 1] to ``B x 3 x S/s x S/s``."""
        generator = seeded_generator(self.seed, "degrade", step)
        temperature = self.low + (self.high - self.low) * torch.rand((), generator=generator).item()
        # The degradation is data: it is as precise where the network is trained in half precision.
        with torch.autocast(clean.device.type, enabled=False):
            small = bicubic_downsample(clean, self.factor).clamp(0, 1)
            return _rounded(self.degrader.degrade(small, temperature, generator=generator))


def _rounded(images: Tensor) -> Tensor:
    return (images * LEVELS).round() / LEVELS
