"""The middle of an image."""

from torch import Tensor

__all__ = ["middle"]


def middle(image: Tensor, side: int) -> Tensor:
    """The middle of an image, at most ``side`` pixels high and wide.

    Examples:
        >>> import torch
        >>> middle(torch.arange(5.0).expand(3, 5, 5), 3)[0, 0].tolist()
        [1.0, 2.0, 3.0]
    """
    top, left = (max(size - side, 0) // 2 for size in image.shape[-2:])
    return image[..., top : top + side, left : left + side]
