"""Blur kernels by formula."""

import math

import torch
from torch import Tensor

__all__ = ["gaussian_kernel", "plateau_kernel", "sinc_kernel"]


def gaussian_kernel(side: int, std: tuple[float, float], angle: float = 0.0, shape: float = 1.0) -> Tensor:
    r"""A generalised Gaussian kernel.

    .. math:: k(c) \propto \exp\left(-\tfrac12 \left(c^T \Sigma^{-1} c\right)^\beta\right),
        \qquad \Sigma = R_\theta \operatorname{diag}(\sigma_1^2, \sigma_2^2) R_\theta^T

    Args:
        side: of the kernel, odd (pixels).
        std: :math:`\sigma_1, \sigma_2` (pixels).
        angle: :math:`\theta` (radians).
        shape: :math:`\beta`; 1 is the Gaussian, less has a sharper peak, more a flatter one.

    Returns:
        ``side x side``, of sum 1.

    References:
        X. Wang, L. Xie, C. Dong, Y. Shan, "Real-ESRGAN: Training real-world blind super-resolution with pure synthetic
        data", ICCV workshops 2021, eq. 3; Y. Liu et al., "Estimating generalized Gaussian blur kernels for
        out-of-focus image deblurring", IEEE TCSVT 2020.

    Examples:
        >>> kernel = gaussian_kernel(3, (1.0, 1.0))
        >>> round(float(kernel[1, 1] / kernel[0, 1]), 4) == round(math.exp(0.5), 4)
        True
    """
    return _normalized(torch.exp(-0.5 * _squared_distance(side, std, angle) ** shape))


def plateau_kernel(side: int, std: tuple[float, float], angle: float = 0.0, shape: float = 1.0) -> Tensor:
    r"""A plateau-shaped kernel, :math:`k(c) \propto 1 / (1 + (c^T \Sigma^{-1} c)^\beta)`.

    Args:
        side: as for :func:`gaussian_kernel`, like the others.
        std: likewise.
        angle: likewise.
        shape: :math:`\beta`.

    References:
        Real-ESRGAN, eq. 4.

    Examples:
        >>> kernel = plateau_kernel(3, (1.0, 1.0))
        >>> round(float(kernel[1, 1] / kernel[0, 1]), 4)
        2.0
    """
    return _normalized(1 / (1 + _squared_distance(side, std, angle) ** shape))


def sinc_kernel(side: int, cutoff: float) -> Tensor:
    r"""A circular low-pass filter cut short, which rings and overshoots.

    .. math:: k(i, j) \propto \frac{\omega_c}{2 \pi r} J_1(\omega_c r), \qquad r = \sqrt{i^2 + j^2}

    Args:
        side: of the kernel, odd (pixels).
        cutoff: :math:`\omega_c` (radians per pixel), up to :math:`\pi`.

    Returns:
        ``side x side``, of sum 1.

    References:
        Real-ESRGAN, eq. 6.

    Examples:
        >>> bool((sinc_kernel(7, 1.5) < 0).any())
        True
    """
    reach = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    distance = (reach[:, None].square() + reach.square()).sqrt()
    # At the centre J1(w r) / r becomes w / 2.
    ring = torch.special.bessel_j1(cutoff * distance) / (2 * math.pi * distance.clamp_min(1e-12))
    return _normalized(cutoff * torch.where(distance > 0, ring, cutoff / (4 * math.pi)))


def _squared_distance(side: int, std: tuple[float, float], angle: float) -> Tensor:
    """c^T Sigma^-1 c at each pixel."""
    reach = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    along = math.cos(angle) * reach + math.sin(angle) * reach[:, None]
    across = -math.sin(angle) * reach + math.cos(angle) * reach[:, None]
    return (along / std[0]).square() + (across / std[1]).square()


def _normalized(kernel: Tensor) -> Tensor:
    return (kernel / kernel.sum()).float()
