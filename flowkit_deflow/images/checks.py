"""What every function from images to images asks of its arguments."""

from torch import Tensor

__all__ = ["require_images", "require_samples"]


def require_images(images: Tensor) -> None:
    """Check that images are a batch of colour images.

    Raises:
        ValueError: they are not of the shape ``B x 3 x H x W``, or are no floating-point numbers.

    Examples:
        >>> import torch
        >>> require_images(torch.rand(2, 3, 8, 8))
    """
    if images.ndim != 4 or images.shape[1] != 3 or not images.is_floating_point():
        raise ValueError(f"expected float images B x 3 x H x W in [0, 1], got {images.dtype} {tuple(images.shape)}")


def require_samples(samples: int | None) -> None:
    """Check the number of versions that are asked for.

    Raises:
        ValueError: it is below 1.

    Examples:
        >>> require_samples(None)
    """
    if samples is not None and samples < 1:
        raise ValueError(f"samples is {samples}; expected at least 1, or None for one version")
