"""Images in patches: what the models by transformers share."""

from collections.abc import Sequence
from typing import Any

from torch import nn

from flowkit.bijector import Bijector
from flowkit.bijectors.squeeze import Squeeze
from flowkit.counts import require_counts

__all__ = ["patch_sizes", "require_one_context", "to_patches"]


def patch_sizes(shape: Sequence[int], patch: int) -> tuple[int, tuple[int, int]]:
    """What an image's patches are.

    Args:
        shape: the image's event shape ``(C, H, W)``.
        patch: the patches' side, >= 1.

    Returns:
        The numbers in a patch, and the patches in height and width.

    Raises:
        ValueError: a size is under 1, ``shape`` has not three entries, or height or width is no multiple of ``patch``.
        TypeError: a size is no integer.

    Examples:
        >>> patch_sizes((3, 8, 12), 4)
        (48, (2, 3))
    """
    if len(shape) != 3:
        raise ValueError(f"shape is {tuple(shape)}; it must be (channels, height, width)")
    channels, height, width = shape
    require_counts(1, channels=channels, height=height, width=width, patch=patch)
    if height % patch or width % patch:
        raise ValueError(f"shape is {tuple(shape)}; height and width must be multiples of patch, {patch}")
    return channels * patch**2, (height // patch, width // patch)


def to_patches(patch: int) -> tuple[list[Bijector[Any, Any]], nn.Module]:
    """What makes patches into positions: of data, and of an image that is a context.

    Args:
        patch: the patches' side, >= 1.

    Returns:
        Bijectors, none for patches of one pixel, and a network.

    Examples:
        >>> import torch
        >>> to_patches(2)[1](torch.zeros(5, 3, 8, 8)).shape
        torch.Size([5, 12, 4, 4])
    """
    return ([Squeeze(patch)], nn.PixelUnshuffle(patch)) if patch > 1 else ([], nn.Identity())


def require_one_context(context_channels: int, classes: int) -> None:
    """Refuse an image and a class as the context together: a flow's context is one tensor.

    Args:
        context_channels: of the image, 0 for none.
        classes: how many, 0 for none.

    Raises:
        ValueError: both are there.

    Examples:
        >>> require_one_context(3, 0)
    """
    if context_channels and classes:
        raise ValueError(
            f"context_channels is {context_channels} and classes {classes}; the context is either an image or a class: "
            "give the classes as constant channels of the image"
        )
