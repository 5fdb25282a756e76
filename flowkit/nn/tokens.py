"""Images as sequences: a token for each position, row by row."""

import math

from torch import Tensor

__all__ = ["context_tokens", "flat_batch", "image_of", "require_grid", "tokens_of"]

Grid = tuple[int, int]


def tokens_of(image: Tensor) -> Tensor:
    """The positions of an image as tokens.

    Args:
        image: ``batch x C x H x W``.

    Returns:
        ``batch x (H W) x C``, row by row; a view.

    Examples:
        >>> import torch
        >>> tokens_of(torch.zeros(5, 3, 2, 4)).shape
        torch.Size([5, 8, 3])
    """
    return image.flatten(-2).transpose(-1, -2)


def image_of(tokens: Tensor, grid: Grid) -> Tensor:
    """What :func:`tokens_of` makes of an image, turned back.

    Args:
        tokens: ``batch x (H W) x C``.
        grid: ``(H, W)``.

    Returns:
        ``batch x C x H x W``.

    Examples:
        >>> import torch
        >>> image_of(torch.zeros(5, 8, 3), (2, 4)).shape
        torch.Size([5, 3, 2, 4])
    """
    return tokens.transpose(-1, -2).unflatten(-1, grid)


def flat_batch(tokens: Tensor) -> Tensor:
    """Tokens with a single batch dimension, as attention is fastest.

    Args:
        tokens: ``batch x n x C``, any batch shape.

    Returns:
        ``samples x n x C``.

    Examples:
        >>> import torch
        >>> flat_batch(torch.zeros(8, 3)).shape, flat_batch(torch.zeros(2, 5, 8, 3)).shape
        (torch.Size([1, 8, 3]), torch.Size([10, 8, 3]))
    """
    return tokens.reshape(math.prod(tokens.shape[:-2]), *tokens.shape[-2:])


def context_tokens(context: Tensor | None, grid: Grid) -> Tensor | None:
    """The tokens of a context, one for each position or one for all.

    Args:
        context: ``batch x C x H x W``, or ``batch x C x 1 x 1``; ``None`` stays.
        grid: ``(H, W)``.

    Returns:
        ``batch x (H W) x C``, or ``batch x 1 x C``.

    Raises:
        TypeError: the context is no tensor.
        ValueError: it has another height or width.

    Examples:
        >>> import torch
        >>> context_tokens(torch.zeros(5, 3, 1, 1), (2, 4)).shape
        torch.Size([5, 1, 3])
    """
    if context is None:
        return None
    if not isinstance(context, Tensor):
        raise TypeError(f"the context is a {type(context).__name__}; this network takes a tensor")
    if context.ndim < 3 or tuple(context.shape[-2:]) not in (grid, (1, 1)):
        raise ValueError(
            f"a context of shape {tuple(context.shape)} was given; this network takes batch x channels x height x "
            f"width, of {grid[0]} x {grid[1]} positions or of 1 x 1"
        )
    return tokens_of(context)


def require_grid(network: object, grid: Grid) -> int:
    """Check the grid of a network of positions.

    Args:
        network: for the message.
        grid: ``(H, W)``.

    Returns:
        How many positions there are.

    Raises:
        ValueError: height or width is under 1.

    Examples:
        >>> require_grid(None, (2, 4))
        8
    """
    if len(grid) != 2 or min(grid) < 1:
        raise ValueError(f"the grid of a {type(network).__name__} is {tuple(grid)}; it is (height, width), each >= 1")
    return grid[0] * grid[1]
