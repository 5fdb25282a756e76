"""Peak signal-to-noise ratio."""

from torch import Tensor

__all__ = ["psnr"]


def psnr(images: Tensor, references: Tensor) -> Tensor:
    r"""Peak signal-to-noise ratio, :math:`-10 \log_{10} \operatorname{mean} (a - b)^2`, one number for each image.

    Args:
        images: ``B x C x H x W`` in [0, 1].
        references: of the same shape.

    Returns:
        ``B`` numbers in dB, float64; infinity for equal images.

    Examples:
        >>> import torch
        >>> round(psnr(torch.zeros(1, 3, 8, 8), torch.full((1, 3, 8, 8), 0.1)).item(), 4)
        20.0
    """
    return -10 * (images.double() - references.double()).square().flatten(1).mean(1).log10()
