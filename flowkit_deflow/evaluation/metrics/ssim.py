"""Structural similarity."""

from torch import Tensor

from flowkit_deflow.evaluation.metrics.windows import gaussian_mean, gaussian_window

__all__ = ["SMALLEST_SIDE", "ssim"]

SMALLEST_SIDE = 11
SIGMA = 1.5
C1 = 0.01**2
C2 = 0.03**2


def ssim(images: Tensor, references: Tensor) -> Tensor:
    r"""Structural similarity, the mean over the channels and over the places where the window lies inside.

    .. math:: \frac{(2 \mu_a \mu_b + 0.01^2)(2 \sigma_{ab} + 0.03^2)}
        {(\mu_a^2 + \mu_b^2 + 0.01^2)(\sigma_a^2 + \sigma_b^2 + 0.03^2)}

    with means and covariances in a Gaussian window of 11 x 11 pixels and 1.5 pixels' width.

    Args:
        images: ``B x C x H x W`` in [0, 1], both sides at least 11.
        references: of the same shape.

    Returns:
        ``B`` numbers, at most 1, which equal images reach; float64.

    Raises:
        ValueError: a side is shorter than the window.

    References:
        Z. Wang, A. C. Bovik, H. R. Sheikh, E. P. Simoncelli, "Image Quality Assessment: From Error Visibility to
        Structural Similarity", IEEE TIP 2004, eq. 13.

    Examples:
        >>> import torch
        >>> image = torch.linspace(0, 1, 3 * 16 * 16).view(1, 3, 16, 16)
        >>> round(ssim(image, image).item(), 6)
        1.0
    """
    if min(images.shape[-2:]) < SMALLEST_SIDE:
        raise ValueError(f"SSIM needs sides of at least {SMALLEST_SIDE}; the images are {tuple(images.shape)}")
    a, b = images.double(), references.double()
    window = gaussian_window(SMALLEST_SIDE, SIGMA)
    mean_a, mean_b = gaussian_mean(a, window), gaussian_mean(b, window)
    variance_a = gaussian_mean(a * a, window) - mean_a.square()
    variance_b = gaussian_mean(b * b, window) - mean_b.square()
    covariance = gaussian_mean(a * b, window) - mean_a * mean_b
    similarity = (2 * mean_a * mean_b + C1) * (2 * covariance + C2)
    norm = (mean_a.square() + mean_b.square() + C1) * (variance_a + variance_b + C2)
    return (similarity / norm).flatten(1).mean(1)
