"""What a kernel of downsampling blurs beyond bicubic downsampling."""

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit_deflow.images.resize import cubic

__all__ = ["beyond_bicubic"]

# Part of the equations' mean weight by which no blur is preferred where they do not tell.
RIDGE = 1e-3


def beyond_bicubic(kernel: Tensor, scale: int) -> Tensor:
    r"""The kernel that turns bicubically downsampled images into ones that were downsampled by another kernel.

    .. math:: (x * b)\!\downarrow_s * \; r \approx (x * k)\!\downarrow_s, \qquad
              r = \arg\min_r \| r\!\uparrow_s * \; b - k \|^2 + \lambda \| r - \delta \|^2

    with the bicubic kernel :math:`b` and :math:`r` spread by ``s``. KernelGAN's kernel is the one that a larger image
    would have been downsampled by; of images that exist downsampled alone, this is the blur that is left to do.

    Args:
        kernel: ``kh x kw`` at the size of the larger image, its centre of mass in the middle.
        scale: ``s``, how many times smaller the images became.

    Returns:
        A kernel of odd sides, of sum 1, at the size of the downsampled images; negative in places where ``k`` is
        sharper than the bicubic kernel. In the precision of ``kernel``.

    Raises:
        ValueError: ``kernel`` has an even side, or ``scale`` is under 1.

    References:
        S. A. Hussein, T. Tirer, R. Giryes, "Correction Filter for Single Image Super-Resolution: Robustifying
        Off-the-Shelf Deep Super-Resolvers", CVPR 2020 (the same equation, for the opposite way).

    Examples:
        >>> box = torch.ones(3, 3) / 9
        >>> beyond_bicubic(box, 2).shape
        torch.Size([5, 5])
    """
    if any(side % 2 == 0 for side in kernel.shape):
        raise ValueError(f"expected a kernel of odd sides, with a middle, got the shape {tuple(kernel.shape)}")
    if scale < 1:
        raise ValueError(f"the scale must be at least 1, got {scale}")
    rows, columns = (_spread(side, scale) for side in kernel.shape)
    target = _in_the_middle(kernel.double(), len(rows), len(columns))
    equations = torch.kron(rows, columns)
    normal = equations.T @ equations
    weight = RIDGE * normal.diagonal().mean()
    none = torch.zeros(len(normal), dtype=torch.float64)
    none[len(none) // 2] = 1
    solved = torch.linalg.solve(
        normal + weight * torch.eye(len(none), dtype=torch.float64), equations.T @ target.flatten() + weight * none
    )
    result = solved.reshape(rows.shape[1], columns.shape[1])
    return (result / result.sum()).to(kernel)


def _spread(side: int, scale: int) -> Tensor:
    """From the entries of ``r``, along one axis, to those of ``r`` spread and convolved with the bicubic kernel."""
    # It reaches as far as the kernel, and a pixel beyond.
    entries = 2 * -(-side // (2 * scale)) + 3
    # Centred on a pixel, as `k` is: bicubic downsampling by an even scale is off by half of one, which moves nothing
    # of the blur.
    bicubic = cubic(torch.arange(1 - 2 * scale, 2 * scale, dtype=torch.float64) / scale)
    bicubic = bicubic / bicubic.sum()
    matrix = torch.zeros(scale * (entries - 1) + len(bicubic), entries, dtype=torch.float64)
    for entry in range(entries):
        matrix[scale * entry : scale * entry + len(bicubic), entry] = bicubic
    return matrix


def _in_the_middle(kernel: Tensor, height: int, width: int) -> Tensor:
    """A kernel with zeros around it."""
    above, left = (height - kernel.shape[0]) // 2, (width - kernel.shape[1]) // 2
    return F.pad(kernel, (left, width - kernel.shape[1] - left, above, height - kernel.shape[0] - above))
