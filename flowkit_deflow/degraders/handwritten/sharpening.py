"""Sharpening."""

from dataclasses import dataclass

import torch
from torch import Tensor

from flowkit_deflow.degraders.handwritten.kernels import gaussian_kernel
from flowkit_deflow.degraders.handwritten.operation import Size
from flowkit_deflow.images.blur_kernels import apply_kernel

__all__ = ["UnsharpMask"]


@dataclass(frozen=True)
class UnsharpMask:
    r"""Unsharp masking, where an image differs from its blurred copy by more than a threshold.

    .. math:: y = x + m \left(\min(\max(x + w r, 0), 1) - x\right),
        \qquad r = x - g * x, \qquad m = g * [\,|r| > t\,]

    with a Gaussian kernel g. The constants are those by which Real-ESRGAN sharpens the clean images of its pairs, whose
    Gaussian of 51 pixels has OpenCV's usual width for it.

    Attributes:
        weight: w, how strongly.
        threshold: t, for images in [0, 1].
        std: standard deviation of g (pixels).
        side: of g's kernel (pixels), odd.

    References:
        X. Wang, L. Xie, C. Dong, Y. Shan, "Real-ESRGAN: Training real-world blind super-resolution with pure synthetic
        data", ICCV workshops 2021, sec. 3.

    Examples:
        >>> edge = torch.tensor([0.4, 0.6]).repeat_interleave(8).expand(1, 3, 8, 16)
        >>> sharpened = UnsharpMask().apply(edge, (8, 16), None)
        >>> bool(sharpened.std() > edge.std())
        True
    """

    weight: float = 0.5
    threshold: float = 10 / 255
    std: float = 8.0
    side: int = 51

    def apply(self, image: Tensor, size: Size, generator: torch.Generator | None) -> Tensor:
        """Sharpen; nothing is drawn at random."""
        kernel = gaussian_kernel(self.side, (self.std, self.std))
        residual = image - apply_kernel(image, kernel)
        mask = apply_kernel((residual.abs() > self.threshold).to(image), kernel).clamp(0, 1)
        sharp = (image + self.weight * residual).clamp(0, 1)
        return image + mask * (sharp - image)
