"""What every function from images to images asks of its arguments."""

import math

import torch
from torch import Tensor

__all__ = ["require_images", "require_pixels", "require_samples", "require_temperature"]

# Filters overshoot [0, 1] by up to a quarter at edges, and added noise does. What lies farther out is of another range.
OVERSHOOT = 0.25


def require_images(images: Tensor) -> None:
    """Check that images are a batch of colour images of floating-point numbers, in [0, 1] but for an overshoot.

    Raises:
        TypeError: they are no tensor.
        ValueError: they are not of the shape ``B x 3 x H x W``, are no floating-point numbers, or of another range.

    Examples:
        >>> require_images(torch.rand(2, 3, 8, 8))
        >>> require_images(torch.rand(3, 8, 8))
        Traceback (most recent call last):
        ...
        ValueError: expected float images B x 3 x H x W in [0, 1], got torch.float32 (3, 8, 8); give images[None] ...
    """
    if isinstance(images, Tensor) and not images.is_floating_point():
        raise ValueError(
            f"expected float images B x 3 x H x W in [0, 1], got {images.dtype} {tuple(images.shape)}; divide bytes by "
            "255"
        )
    require_pixels(images)


def require_pixels(images: Tensor) -> None:
    """As :func:`require_images`, where bytes are taken too."""
    if not isinstance(images, Tensor):
        raise TypeError(
            f"expected a tensor B x 3 x H x W in [0, 1], got a {type(images).__module__}.{type(images).__name__}; "
            "make one by torch.from_numpy(array).permute(0, 3, 1, 2) / 255, or read files with read_image"
        )
    expected = f"expected float images B x 3 x H x W in [0, 1], got {images.dtype} {tuple(images.shape)}"
    if images.ndim == 3 and images.shape[0] == 3:
        raise ValueError(f"{expected}; give images[None] for a single image")
    if images.ndim != 4 or images.shape[1] != 3 or not (images.is_floating_point() or images.dtype is torch.uint8):
        raise ValueError(expected)
    if images.is_floating_point() and images.numel():
        low, high = (float(bound) for bound in images.detach().aminmax())
        if low < -OVERSHOOT or high > 1 + OVERSHOOT:
            raise ValueError(
                f"expected images in [0, 1], got values from {low:g} to {high:g}; divide bytes by 255, "
                "or map [-1, 1] to [0, 1]"
            )


def require_samples(samples: int | None) -> None:
    """Check the number of versions that are asked for.

    Raises:
        ValueError: it is below 1.

    Examples:
        >>> require_samples(None)
    """
    if samples is not None and samples < 1:
        raise ValueError(f"samples is {samples}; expected at least 1, or None for one version")


def require_temperature(temperature: float) -> None:
    """Check a temperature.

    Raises:
        ValueError: it is negative or not finite.

    Examples:
        >>> require_temperature(0.8)
    """
    if not (math.isfinite(temperature) and temperature >= 0):
        raise ValueError(f"temperature is {temperature}; expected a number >= 0: 0 is none, 1 as learned")
