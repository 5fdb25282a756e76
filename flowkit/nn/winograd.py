"""The transforms of Winograd's 3x3 convolution: those of an image serve all kernels that read it."""

from itertools import product
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.nn.kernel import require_3x3
from flowkit.nn.winograd_matrices import TILE, matrices

__all__ = ["image_tiles", "kernel_tiles"]


def image_tiles(x: Tensor, factor: int = 1) -> Tensor:
    r"""What an image contributes to its convolutions with 3x3 kernels, whatever the kernels.

    The image with zeros around it is cut into patches :math:`p` of 6 x 6 that overlap by 2, and each gets transformed,

    .. math:: B^\top p\, B.

    An image that is to be enlarged by nearest neighbour contributes to fewer numbers, and they are computed from it as
    it is.

    Args:
        x: ``batch x C x (H / f) x (W / f)``.
        factor: ``f``, how many times it is to be enlarged: 1, 2 or 4.

    Returns:
        ``n x batch x ceil(H / 4) x ceil(W / 4) x C``, with ``n`` 36, 25 or 9: those of the 36 places that are not zero.

    References:
        A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, sec. 4: F(4 x 4, 3 x 3).

    Examples:
        >>> image_tiles(torch.rand(2, 5, 8, 10)).shape
        torch.Size([36, 2, 2, 3, 5])
        >>> image_tiles(torch.rand(2, 5, 2, 3), factor=4).shape
        torch.Size([9, 2, 2, 3, 5])
    """
    # The compiler differentiates by itself, and knows no functions with forward derivatives.
    return _tiles(x, factor) if torch.compiler.is_compiling() else _ImageTiles.apply(x, factor)


def _tiles(x: Tensor, factor: int) -> Tensor:
    *batch, channels, height, width = x.shape
    step = TILE // factor
    rows, columns = -(-height // step), -(-width // step)
    padded = F.pad(x, (1, step * columns + 1 - width, 1, step * rows + 1 - height)).movedim(-3, -1)
    patches = padded.unfold(-3, step + 2, step).unfold(-3, step + 2, step).movedim((-2, -1), (0, 1))
    matrix = matrices(x).of_image[factor]
    return (matrix @ patches.reshape((step + 2) ** 2, -1)).view(-1, *batch, rows, columns, channels)


class _ImageTiles(torch.autograd.Function):
    """:func:`_tiles`, whose adjoint adds up patches a block at a time: autograd's goes through them pixel by pixel."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, factor: int) -> Tensor:
        return _tiles(x, factor)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, int], output: Tensor) -> None:
        x, ctx.factor = inputs
        ctx.shape = x.shape

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        *batch, channels, height, width = ctx.shape
        rows, columns = grad.shape[-3:-1]
        step = TILE // ctx.factor
        side = step + 2
        patches = matrices(grad).of_image[ctx.factor].T @ grad.reshape(len(grad), -1)
        patches = patches.view(side, side, -1, rows, columns, channels)
        # Blocks beyond the last one's own are what its patch reaches into.
        reach = -(-side // step)
        image = patches.new_zeros(patches.shape[2], rows + reach - 1, step, columns + reach - 1, step, channels)
        for down, right in product(range(reach), repeat=2):
            part = patches[down * step :, right * step :][:step, :step]
            lines, across = part.shape[:2]
            into = image[:, down : down + rows, :lines, right : right + columns, :across]
            into += part.permute(2, 3, 0, 4, 1, 5)
        image = image.flatten(3, 4).flatten(1, 2)[:, 1 : height + 1, 1 : width + 1]
        return image.reshape(*batch, height, width, channels).movedim(-1, -3), None

    @staticmethod
    def jvp(ctx: Any, of_x: Tensor, _: None) -> Tensor:
        return _ImageTiles.apply(of_x, ctx.factor)


def kernel_tiles(weight: Tensor, places: slice = slice(None)) -> Tensor:
    r"""What a 3x3 kernel :math:`g` contributes, :math:`G g\, G^\top`.

    Args:
        weight: ``N x C x 3 x 3``.
        places: which of the 36 places.

    Returns:
        ``places x N x C``.

    Raises:
        ValueError: the kernel is not 3x3.

    References:
        As :func:`image_tiles`.

    Examples:
        >>> kernel_tiles(torch.rand(8, 5, 3, 3)).shape
        torch.Size([36, 8, 5])
    """
    require_3x3(weight)
    return (matrices(weight).of_kernel[places] @ weight.reshape(-1, 9).T).view(-1, *weight.shape[:2])
