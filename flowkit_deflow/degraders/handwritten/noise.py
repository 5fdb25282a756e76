"""Noise by formula."""

from dataclasses import dataclass

import torch
from torch import Tensor

from flowkit_deflow.degraders.handwritten.operation import Range, Size, normal_like, pick, uniform

__all__ = ["CorrelatedNoise", "GaussianNoise", "PoissonNoise"]

# ITU-R BT.601: how much each colour counts for grey.
_LUMA = (0.299, 0.587, 0.114)


@dataclass(frozen=True)
class GaussianNoise:
    """White noise.

    Attributes:
        std: bounds of its standard deviation, for images in [0, 1].
        grey: probability that it is the same in all colours.

    Examples:
        >>> noisy = GaussianNoise(std=(0.1, 0.1)).apply(torch.full((1, 3, 64, 64), 0.5), (64, 64), None)
        >>> bool((noisy.std() - 0.1).abs() < 0.01)
        True
    """

    std: Range
    grey: float = 0.0

    def apply(self, image: Tensor, size: Size, generator: torch.Generator | None) -> Tensor:
        """Add it."""
        std = uniform(self.std, generator)
        channels = 1 if pick((self.grey, 1 - self.grey), generator) == 0 else 3
        noise = normal_like(image, (1, channels, *image.shape[-2:]), generator)
        return (image + std * noise).clamp(0, 1)


@dataclass(frozen=True)
class CorrelatedNoise:
    """White noise whose colours are correlated: its covariance has random axes, and variances up to a bound.

    Attributes:
        std: the bound, as a standard deviation for images in [0, 1].
    """

    std: float

    def apply(self, image: Tensor, size: Size, generator: torch.Generator | None) -> Tensor:
        """Add it."""
        axes, _ = torch.linalg.qr(normal_like(image, (3, 3), generator).double())
        variances = torch.tensor([uniform((0.0, self.std**2), generator) for _ in range(3)], dtype=torch.float64)
        root = (axes * variances.sqrt().to(axes.device)).to(image)
        noise = normal_like(image, (1, 3, *image.shape[-2:]), generator)
        return (image + torch.einsum("ij,bjhw->bihw", root, noise)).clamp(0, 1)


@dataclass(frozen=True)
class PoissonNoise:
    r"""Shot noise: as of an image of as many photons as it has levels of brightness, times a factor.

    .. math:: y = x + s \left(\frac{P(L x)}{L} - x\right)

    with the number L of levels that the image has (rounded up to a power of 2) and Poisson's P.

    Attributes:
        scale: bounds of the factor s.
        grey: probability that it is the same in all colours.
    """

    scale: Range
    grey: float = 0.0

    def apply(self, image: Tensor, size: Size, generator: torch.Generator | None) -> Tensor:
        """Add it."""
        scale = uniform(self.scale, generator)
        seen = (image * 255).round() / 255
        if pick((self.grey, 1 - self.grey), generator) == 0:
            seen = (seen * image.new_tensor(_LUMA)[:, None, None]).sum(1, keepdim=True)
        levels = 2.0 ** (len(torch.unique((seen * 255).round())) - 1).bit_length()
        device = "cpu" if generator is None else generator.device
        counts = torch.poisson((seen * levels).to(device), generator=generator).to(image)
        return (image + scale * (counts / levels - seen)).clamp(0, 1)
