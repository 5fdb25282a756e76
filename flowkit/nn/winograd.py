"""Winograd's 3x3 convolution, in the parts that it consists of: those of an image serve all kernels that read it."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.nn.kernel import require_3x3

__all__ = ["WinogradKernel", "image_tiles", "kernel_tiles"]

TILE = 4
"""Side of the blocks of the result."""

PATCH = TILE + 2
"""Side of what a block depends on."""

POINTS = (0.0, 0.625, -0.625, 1.5, -1.5)
"""And infinity. Of those tried these round least: 4 times a plain convolution's rounding, 0, 1, -1, 2, -2 9 times."""

SCRATCH = 2**23
"""Products that are in memory at a time, 32 MiB in float32."""


def image_tiles(x: Tensor) -> Tensor:
    r"""What an image contributes to its convolutions with 3x3 kernels, whatever the kernels.

    The image with zeros around it is cut into patches :math:`p` of 6 x 6 that overlap by 2, and each gets transformed,

    .. math:: B^\top p\, B.

    Args:
        x: ``batch x C x H x W``.

    Returns:
        ``36 x batch x ceil(H / 4) x ceil(W / 4) x C``.

    References:
        A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, sec. 4: F(4 x 4, 3 x 3).

    Examples:
        >>> image_tiles(torch.rand(2, 5, 8, 10)).shape
        torch.Size([36, 2, 2, 3, 5])
    """
    *batch, channels, height, width = x.shape
    rows, columns = -(-height // TILE), -(-width // TILE)
    padded = F.pad(x, (1, TILE * columns + 1 - width, 1, TILE * rows + 1 - height)).movedim(-3, -1)
    patches = padded.unfold(-3, PATCH, TILE).unfold(-3, PATCH, TILE).movedim((-2, -1), (0, 1))
    return (_matrices(x).of_image @ patches.reshape(PATCH**2, -1)).view(-1, *batch, rows, columns, channels)


def kernel_tiles(weight: Tensor) -> Tensor:
    r"""What a 3x3 kernel :math:`g` contributes, :math:`G g\, G^\top`.

    Args:
        weight: ``N x C x 3 x 3``.

    Returns:
        ``36 x C x N``.

    Raises:
        ValueError: the kernel is not 3x3.

    References:
        As :func:`image_tiles`.

    Examples:
        >>> kernel_tiles(torch.rand(8, 5, 3, 3)).shape
        torch.Size([36, 5, 8])
    """
    require_3x3(weight)
    outputs, inputs = weight.shape[:2]
    return (_matrices(weight).of_kernel @ weight.permute(2, 3, 1, 0).reshape(9, -1)).view(-1, inputs, outputs)


class WinogradKernel:
    r"""A 3x3 convolution with a padding of 1, :math:`w * x`, of images that come as tiles.

    .. math:: y = A^\top \Bigl[ \sum_c (G\, w_c\, G^\top) \odot (B^\top p_c\, B) \Bigr] A

    for each patch :math:`p` of the image: 36 multiplications for 16 numbers of the result, in place of 144. The image's
    part :math:`B^\top p\, B` is the same for all kernels, and the sum over channels is a matrix product for each of the
    36 places.

    Args:
        weight: ``N x C x 3 x 3``.

    Raises:
        ValueError: the kernel is not 3x3.

    References:
        A. Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, sec. 4.
        B. Barabasz, A. Anderson, K. M. Soodhalter, D. Gregg, "Error Analysis and Improving the Accuracy of Winograd
        Convolution for Deep Neural Networks", ACM TOMS 2020: which points are chosen decides on the rounding.

    Examples:
        >>> x, weight = torch.rand(1, 5, 8, 10), torch.rand(7, 5, 3, 3)
        >>> y = WinogradKernel(weight)(image_tiles(x), 8, 10)
        >>> torch.allclose(y, F.conv2d(x, weight, padding=1), atol=1e-4)
        True
    """

    def __init__(self, weight: Tensor) -> None:
        require_3x3(weight)
        self.weight = weight
        self.transformed: Tensor | None = None

    def packed(self) -> "WinogradKernel":
        r"""The same for calls without gradients, :math:`G w\, G^\top` made now: four times the kernel's numbers."""
        result = WinogradKernel(self.weight)
        result.transformed = kernel_tiles(self.weight)
        return result

    def __call__(self, tiles: Tensor, height: int, width: int) -> Tensor:
        """Tiles ``36 x batch x rows x columns x C`` of an image ``H x W`` to ``batch x N x H x W``."""
        flat = tiles.flatten(1, -2)
        # The products of half precision would round away what the sums of tiles are made of.
        with torch.autocast(tiles.device.type, enabled=False):
            if self.transformed is not None:
                blocks = _blocks(flat, self.transformed)
            elif torch.compiler.is_compiling():
                # The compiler differentiates by itself, and knows no functions with forward derivatives.
                blocks = _blocks(flat, kernel_tiles(self.weight))
            else:
                blocks = _Blocks.apply(flat, self.weight)
        return _assembled(blocks, (*tiles.shape[1:-1], len(self.weight)), height, width)


def _blocks(tiles: Tensor, kernel: Tensor) -> Tensor:
    """The 16 places of the blocks, from the 36 of the products of ``36 x T x C`` and ``36 x C x N``."""
    of_result = _matrices(tiles).of_result
    parts = [of_result @ torch.bmm(part, kernel).flatten(1) for part in _parts(tiles, kernel.shape[-1])]
    return _joined(parts)


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def _parts(tiles: Tensor, outputs: int) -> tuple[Tensor, ...]:
    at_once = max(1, SCRATCH // (PATCH**2 * outputs))
    return (tiles,) if tiles.shape[1] <= at_once else tiles.split(at_once, 1)


class _Blocks(torch.autograd.Function):
    """:func:`_blocks` of tiles and a kernel that is not transformed yet: only the two are kept for the gradients.

    Autograd would keep the transformed kernel, which has four times as many numbers.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(tiles: Tensor, weight: Tensor) -> Tensor:
        return _blocks(tiles, kernel_tiles(weight))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None]:
        tiles, weight = ctx.saved_tensors
        outputs = len(weight)
        matrices = _matrices(grad)
        kernel = kernel_tiles(weight).mT if ctx.needs_input_grad[0] else None
        of_tiles, of_kernel = [], []
        places = grad.view(TILE**2, -1, outputs)
        for part, piece in zip(_parts(tiles, outputs), _parts(places, outputs), strict=True):
            products = (matrices.of_result.T @ piece.flatten(1)).view(PATCH**2, -1, outputs)
            if kernel is not None:
                of_tiles.append(torch.bmm(products, kernel))
            if ctx.needs_input_grad[1]:
                of_kernel.append(torch.bmm(part.mT, products))
        of_weight = None
        if of_kernel:
            of_weight = (matrices.of_kernel.T @ sum(of_kernel[1:], of_kernel[0]).flatten(1)).view(3, 3, -1, outputs)
        return _joined(of_tiles) if of_tiles else None, None if of_weight is None else of_weight.permute(3, 2, 0, 1)

    @staticmethod
    def jvp(ctx: Any, of_tiles: Tensor, of_weight: Tensor) -> Tensor:
        tiles, weight = ctx.saved_tensors
        return _Blocks.apply(of_tiles, weight) + _Blocks.apply(tiles, of_weight)


def _assembled(blocks: Tensor, shape: Sequence[int], height: int, width: int) -> Tensor:
    *batch, rows, columns, outputs = shape
    places = blocks.view(TILE, TILE, -1, rows, columns, outputs).permute(2, 3, 0, 4, 1, 5)
    image = places.reshape(*batch, TILE * rows, TILE * columns, outputs)
    return image[..., :height, :width, :].movedim(-1, -3)


class _Matrices(NamedTuple):
    r"""Of the image, :math:`B^\top \otimes B^\top` (36 x 36); of the kernel (36 x 9); of the result (16 x 36)."""

    of_image: Tensor
    of_kernel: Tensor
    of_result: Tensor


def _matrices(like: Tensor) -> _Matrices:
    if torch.compiler.is_compiling():
        return _Matrices(*(matrix.to(like.device, like.dtype) for matrix in _exactly()))
    return _kept_matrices(like.dtype, like.device)


@lru_cache(maxsize=8)
def _kept_matrices(dtype: torch.dtype, device: torch.device) -> _Matrices:
    # Ordinary tensors, whatever mode they are first asked for in: autograd is to keep them later.
    with torch.inference_mode(False), torch.no_grad():
        return _Matrices(*(matrix.to(device, dtype) for matrix in _exactly()))


def _exactly() -> _Matrices:
    r"""In float64, by Toom and Cook: a product of polynomials follows from its values at points; here is its adjoint.

    With :math:`E_n`, the values at the points of polynomials with :math:`n` coefficients,

    .. math:: y = E_4^\top \left[ (E_3\, g) \odot (E_6^{-\top} d) \right].
    """
    points = torch.tensor(POINTS, dtype=torch.float64, device="cpu")

    def values(coefficients: int) -> Tensor:
        finite = torch.stack([points**power for power in range(coefficients)], 1)
        at_infinity = torch.zeros(1, coefficients, dtype=torch.float64, device="cpu")
        at_infinity[0, -1] = 1
        return torch.cat([finite, at_infinity])

    along = (torch.linalg.inv(values(PATCH)).T, values(3), values(TILE).T)
    return _Matrices(*(torch.kron(matrix, matrix).contiguous() for matrix in along))
