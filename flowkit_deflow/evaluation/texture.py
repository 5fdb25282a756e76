"""How textured an image is at each place."""

import torch.nn.functional as F
from torch import Tensor

from flowkit_deflow.evaluation.log_bins import LogBins
from flowkit_deflow.evaluation.pair import Pair

__all__ = ["TEXTURE_BINS", "TEXTURE_WINDOW", "local_contrast", "texture_bins"]

TEXTURE_WINDOW = 9
# From an eighth of a grey level, below which 8-bit images have nothing, to 32 grey levels, which only hard edges pass.
TEXTURE_BINS = LogBins(lowest=0.125 / 255, octaves=8, per_octave=16)


def local_contrast(detail: Tensor) -> Tensor:
    r"""The root mean square of an image's high-pass in the 9 x 9 pixels around each place.

    .. math:: c(p) = \sqrt{\tfrac{1}{3 \cdot 81} \sum_{q \in W(p)} \sum_{k=1}^{3} d_k(q)^2}

    At the borders, the part of the window inside the image counts.

    Args:
        detail: 3 x H x W, the image less its Gaussian blur.

    Returns:
        H x W, at least zero.

    Examples:
        >>> import torch
        >>> round(float(local_contrast(torch.full((3, 5, 5), 0.25))[0, 0]), 6)
        0.25
    """
    energy = detail.square().mean(0)[None, None]
    margin = TEXTURE_WINDOW // 2
    mean = F.avg_pool2d(energy, TEXTURE_WINDOW, stride=1, padding=margin, count_include_pad=False)
    # The running sums of the pooling may leave rounding below zero.
    return mean[0, 0].clamp(min=0).sqrt()


def texture_bins(pair: Pair) -> Tensor:
    """Shape (H W,): the bin among `TEXTURE_BINS` of the reference's local contrast at each pixel."""
    return TEXTURE_BINS.index(local_contrast(pair.detail)).flatten()
