"""Images cut into the blocks that Winograd's convolution makes, and the patches that blocks depend on."""

from functools import partial
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor

from flowkit.nn.winograd_matrices import PATCH, TILE

__all__ = ["as_blocks", "as_image", "blocks_from_patches_", "clear_beyond", "patches_of"]

ROWS, COLUMNS = (0, 3), (1, 4)
"""The dimensions of pixels within patches, and of patches, along each side."""


def as_blocks(image: Tensor) -> Tensor:
    """An image with zeros behind it, cut into blocks.

    Args:
        image: ``batch x C x H x W``.

    Returns:
        ``4 x 4 x batch x ceil(H / 4) x ceil(W / 4) x C``, rows and columns of the blocks' pixels first; a view where
        ``H`` and ``W`` are multiples of 4.

    Examples:
        >>> import torch
        >>> as_blocks(torch.rand(2, 3, 8, 7)).shape
        torch.Size([4, 4, 2, 2, 2, 3])
    """
    height, width = image.shape[-2:]
    image = F.pad(image, (0, -width % TILE, 0, -height % TILE)) if height % TILE or width % TILE else image
    return image.movedim(-3, -1).unflatten(2, (-1, TILE)).unflatten(1, (-1, TILE)).permute(2, 4, 0, 1, 3, 5)


def as_image(blocks: Tensor, height: int, width: int) -> Tensor:
    """The image that blocks make, and the inverse of :func:`as_blocks`.

    Args:
        blocks: ``4 x 4 x batch x ceil(H / 4) x ceil(W / 4) x C``.
        height: ``H``.
        width: ``W``.

    Returns:
        ``batch x C x H x W``, a pixel's channels side by side in memory.

    Examples:
        >>> import torch
        >>> image = torch.rand(2, 3, 8, 7)
        >>> torch.equal(as_image(as_blocks(image), 8, 7), image)
        True
    """
    return blocks.permute(2, 3, 0, 4, 1, 5).flatten(3, 4).flatten(1, 2)[:, :height, :width].movedim(-1, -3)


def clear_beyond(blocks: Tensor, height: int, width: int) -> None:
    """Set to zero, in place, what of blocks lies behind the image's edges.

    Args:
        blocks: ``4 x 4 x batch x ceil(H / 4) x ceil(W / 4) x C``.
        height: ``H``.
        width: ``W``.

    Examples:
        >>> import torch
        >>> blocks = torch.ones(4, 4, 1, 1, 1, 1)
        >>> clear_beyond(blocks, 3, 2)
        >>> blocks.sum()
        tensor(6.)
    """
    if height % TILE:
        blocks[height % TILE :, :, :, -1] = 0
    if width % TILE:
        blocks[:, width % TILE :, :, :, -1] = 0


def patches_of(blocks: Tensor) -> Tensor:
    """For each block the patch that its convolution with a 3x3 kernel depends on: itself and a pixel at each side.

    Args:
        blocks: ``4 x 4 x batch x rows x columns x C``, of an image with zeros around it.

    Returns:
        ``6 x 6 x batch x rows x columns x C``.

    Examples:
        >>> import torch
        >>> patches_of(torch.ones(4, 4, 1, 1, 2, 1)).sum((0, 1)).flatten()
        tensor([20., 20.])
    """
    patches = blocks.new_empty(PATCH, PATCH, *blocks.shape[2:])
    patches[1:-1, 1:-1] = blocks
    # Rows first: the corners then come from the neighbours' edges.
    for edges in _edges(patches[:, 1:-1], *ROWS), _edges(patches, *COLUMNS):
        for edge in edges:
            edge.outside.zero_()
            edge.pixels.copy_(edge.neighbours)
    return patches


def blocks_from_patches_(patches: Tensor) -> Tensor:
    """The adjoint of :func:`patches_of`: patches added up where they overlap, in place.

    Args:
        patches: ``6 x 6 x batch x rows x columns x C``, which are lost.

    Returns:
        ``4 x 4 x batch x rows x columns x C``, a view of them.

    Examples:
        >>> import torch
        >>> blocks_from_patches_(torch.ones(6, 6, 1, 1, 2, 1))[0, :, 0, 0, 0, 0]
        tensor([1., 1., 1., 2.])
    """
    for edges in _edges(patches, *COLUMNS), _edges(patches[:, 1:-1], *ROWS):
        for edge in edges:
            edge.neighbours.add_(edge.pixels)
    return patches[1:-1, 1:-1]


class _Edge(NamedTuple):
    """The pixels at one edge of patches."""

    pixels: Tensor
    """Of the patches that have a neighbour there."""
    neighbours: Tensor
    """The same pixels, in the neighbours' blocks."""
    outside: Tensor
    """Of the patches that have none."""


def _edges(patches: Tensor, pixel: int, block: int) -> tuple[_Edge, _Edge]:
    """Both edges along one side, given the dimensions of a patch's pixels and of patches along it."""
    last = patches.shape[block] - 1
    at = partial(patches.select, pixel)
    # Of what is selected, the dimensions behind are one fewer.
    block -= 1
    before = _Edge(at(0).narrow(block, 1, last), at(TILE).narrow(block, 0, last), at(0).narrow(block, 0, 1))
    behind = _Edge(at(-1).narrow(block, 0, last), at(1).narrow(block, 1, last), at(-1).narrow(block, last, 1))
    return before, behind
