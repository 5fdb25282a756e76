"""An image beside its reference, and what they differ by."""

from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from flowkit_deflow.evaluation.smoothing import high_pass_residual

__all__ = ["CHANNELS", "CHANNEL_NAMES", "EarlierSamples", "Pair"]

CHANNEL_NAMES = ("red", "green", "blue")
CHANNELS = len(CHANNEL_NAMES)


@dataclass(frozen=True, eq=False)
class EarlierSamples:
    """The samples of a clean image that were measured before another one of it.

    Attributes:
        count: how many there are.
        total: 3 x H x W, the sum of their residuals, each less its mean in each channel.
    """

    count: int
    total: Tensor


@dataclass(frozen=True, eq=False)
class Pair:
    """A degraded image and the image that it is measured against.

    Attributes:
        degraded: 3 x H x W, in [0, 1].
        reference: 3 x H x W, in [0, 1]: the clean image, or the degraded one smoothed where there is none.
        clean: names the clean image where real and generated images of it are compared; otherwise None.
        scene: what the samples of a picture have in common, with or without a clean image.
        counterpart: 3 x H x W, in [0, 1]: a really degraded image of the same clean image, for a generated one;
            None where there is none.
        earlier: the samples of the same clean image that came before; None for the first.

    Raises:
        ValueError: the shapes differ or are not 3 x H x W with at least one pixel, or a value is not finite.

    Examples:
        >>> pair = Pair(torch.full((3, 4, 4), 0.75), torch.full((3, 4, 4), 0.5))
        >>> float(pair.residual.mean())
        0.25
    """

    degraded: Tensor
    reference: Tensor
    clean: str | None = None
    scene: str = ""
    counterpart: Tensor | None = None
    earlier: EarlierSamples | None = None

    def __post_init__(self) -> None:
        degraded, reference = self.degraded, self.reference
        if degraded.shape != reference.shape or degraded.ndim != 3 or degraded.shape[0] != CHANNELS:
            shapes = f"{tuple(degraded.shape)} and {tuple(reference.shape)}"
            raise ValueError(f"degraded and reference must both be 3 x H x W, their shapes are {shapes}")
        if degraded.numel() == 0:
            raise ValueError(f"an image of shape {tuple(degraded.shape)} has no pixels")
        if not bool(self.residual.isfinite().all()):
            raise ValueError("degraded and reference must be finite: a value is NaN or infinite")

    @cached_property
    def residual(self) -> Tensor:
        """3 x H x W, float64: degraded - reference, in [0, 1] units."""
        return _exact(self.degraded) - self.exact_reference

    @cached_property
    def centred(self) -> Tensor:
        """3 x H x W: the residual less its mean in each channel."""
        return self.residual - self.residual.mean((1, 2), keepdim=True)

    @cached_property
    def exact_reference(self) -> Tensor:
        """3 x H x W, the reference in float64."""
        return _exact(self.reference)

    @cached_property
    def real_residual(self) -> Tensor | None:
        """3 x H x W, float64: the really degraded image's residual against the same reference; None without one."""
        return None if self.counterpart is None else _exact(self.counterpart) - self.exact_reference

    @cached_property
    def detail(self) -> Tensor:
        """3 x H x W: the reference's high-pass, the reference less its Gaussian blur of 1.5 pixels."""
        # In single precision: an eighth of a grey level is 4,000 of its steps, and convolutions are four times as fast.
        return high_pass_residual(self.reference.detach().to("cpu", torch.float32)).double()

    @cached_property
    def with_this(self) -> EarlierSamples:
        """The earlier samples and this one, as the next sample of the same clean image gets them."""
        if self.earlier is None:
            return EarlierSamples(1, self.centred)
        return EarlierSamples(self.earlier.count + 1, self.earlier.total + self.centred)


def _exact(image: Tensor) -> Tensor:
    return image.detach().to("cpu", torch.float64)
