"""Grey images of colour images, as metrics define them."""

import torch
from torch import Tensor

__all__ = ["grey_levels", "luma"]

# BT.601 for R'G'B' in [0, 1] and luma from 16 to 235.
LUMA_WEIGHTS = (65.481, 128.553, 24.966)
LUMA_OFFSET = 16.0
# MATLAB's rgb2gray: the first row of the inverse of NTSC's YIQ matrix.
GREY_WEIGHTS = (0.298936021293775, 0.587043074451121, 0.114020904255103)


def luma(images: Tensor) -> Tensor:
    r"""The Y of ITU-R BT.601, which super-resolution is often judged by.

    .. math:: (16 + 65.481 R + 128.553 G + 24.966 B) / 255

    Args:
        images: ``B x 3 x H x W`` in [0, 1].

    Returns:
        ``B x 1 x H x W``, from 16 / 255 to 235 / 255, not rounded.

    Examples:
        >>> [round(255 * luma(torch.full((1, 3, 1, 1), value)).item(), 3) for value in (0.0, 1.0)]
        [16.0, 235.0]
    """
    return (_weighted(images, LUMA_WEIGHTS) + LUMA_OFFSET) / 255


def grey_levels(images: Tensor) -> Tensor:
    """Whole grey levels from 0 to 255, as MATLAB's ``rgb2gray`` gives them of 8-bit images.

    Args:
        images: ``B x 3 x H x W`` in [0, 1].

    Returns:
        ``B x 1 x H x W``, float64.

    Examples:
        >>> grey_levels(torch.full((1, 3, 1, 1), 0.5)).item()
        128.0
    """
    levels = (images.double() * 255).add(0.5).floor()
    # Weights that sum to one only nearly would round the halves of grey images down.
    return (_weighted(levels, GREY_WEIGHTS) + 0.5 + 1e-9).floor()


def _weighted(images: Tensor, weights: tuple[float, float, float]) -> Tensor:
    return torch.einsum("bchw,c->bhw", images, images.new_tensor(weights))[:, None]
