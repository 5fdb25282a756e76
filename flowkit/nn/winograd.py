"""Winograd's 3x3 convolution, in the parts that it consists of: those of an image serve all kernels that read it."""

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import product
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.nn.kernel import require_3x3

__all__ = ["NEEDED", "WinogradKernel", "image_tiles", "kernel_tiles"]

TILE = 4
"""Side of the blocks of the result."""

PATCH = TILE + 2
"""Side of what a block depends on."""

POINTS = (0.0, 1.0, math.inf, 0.625, -0.625, -1.5)
"""Where polynomials are evaluated. The order is that of :data:`NEEDED`; the numbers are those that round least.

An image enlarged 4 times by nearest neighbour contributes nothing but at 0, 1 and infinity, and one enlarged twice
nothing at the last point if those before it are 0, 1, infinity and a pair of opposites: a patch is multiplied by the
coefficients of a polynomial that is zero at all points but one, and where 1 is among those they cancel over equal
pixels. Of such points these round least, 6 times as much as a plain convolution; without regard to enlarged images 0,
5/8, -5/8, 3/2, -3/2 round 4 times as much, and the usual 0, 1, -1, 2, -2 10 times.
"""

NEEDED = {1: 6, 2: 5, 4: 3}
"""How many of the points an image contributes at, by how many times it is enlarged."""

PLACES = sorted(product(range(PATCH), repeat=2), key=max)
"""Pairs of points, for rows and columns. So the first 9 and 25 are those of the first three and five points."""

SCRATCH = 2**22
"""Products that are in memory at a time, 16 MiB in float32."""

SCRATCH_BACKWARD = 2**24
"""Those of the backward pass: the gradients of several parts have to be joined, which takes longer than it saves."""

MANY = 500
"""For so many tiles a kernel is transformed anew: a hundredth of the work, and no memory between calls."""


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
    *batch, channels, height, width = x.shape
    step = TILE // factor
    rows, columns = -(-height // step), -(-width // step)
    padded = F.pad(x, (1, step * columns + 1 - width, 1, step * rows + 1 - height)).movedim(-3, -1)
    patches = padded.unfold(-3, step + 2, step).unfold(-3, step + 2, step).movedim((-2, -1), (0, 1))
    matrix = _matrices(x).of_image[factor]
    return (matrix @ patches.reshape((step + 2) ** 2, -1)).view(-1, *batch, rows, columns, channels)


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
    return (_matrices(weight).of_kernel[places] @ weight.reshape(-1, 9).T).view(-1, *weight.shape[:2])


class WinogradKernel:
    r"""A 3x3 convolution with a padding of 1, :math:`w * x`, of images that come as tiles.

    .. math:: y = A^\top \Bigl[ \sum_c (G\, w_c\, G^\top) \odot (B^\top p_c\, B) \Bigr] A

    for each patch :math:`p` of the image: 36 multiplications for 16 numbers of the result, in place of 144. The image's
    part :math:`B^\top p\, B` is the same for all kernels, and the sum over channels is a matrix product for each of the
    36 places; channels that stand for enlarged images are in the sums of the first 25 or 9 places only.

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
        >>> y = WinogradKernel(weight)(image_tiles(x), None, 8, 10)
        >>> torch.allclose(y, F.conv2d(x, weight, padding=1), atol=1e-4)
        True
    """

    def __init__(self, weight: Tensor) -> None:
        require_3x3(weight)
        self.weight = weight
        self._for_inference = False
        self._kept: list[Tensor] | None = None

    def packed(self) -> "WinogradKernel":
        r"""The same for calls without gradients, with tiles of one layout: it keeps :math:`G w\, G^\top`."""
        result = WinogradKernel(self.weight)
        result._for_inference = True
        return result

    def __call__(self, tiles: Tensor, others: Tensor | None, height: int, width: int) -> Tensor:
        """The convolution.

        Args:
            tiles: ``n x batch x rows x columns x C``, the first ``n`` places of an image ``H x W``.
            others: ``(36 - n) x batch x rows x columns x C_1``, the other places, of the first channels; the last
                ones are zero there. ``None`` if all are, or ``n`` is 36.
            height: ``H``.
            width: ``W``.

        Returns:
            ``batch x N x H x W``, in channels-last memory.
        """
        # The products of half precision would round away what the sums of tiles are made of.
        with torch.autocast(tiles.device.type, enabled=False):
            if self._for_inference:
                image = _convolved(_groups(tiles, others), self._of_inference(tiles, others))
            elif torch.compiler.is_compiling():
                # The compiler differentiates by itself, and knows no functions with forward derivatives.
                image = _convolved(_groups(tiles, others), _transformed(self.weight, len(tiles), _fine(others)))
            else:
                image = _Convolution.apply(tiles, others, self.weight)
        if image.shape[-3:-1] != (height, width):
            image = image[..., :height, :width, :]
        return image.movedim(-1, -3)

    def _of_inference(self, tiles: Tensor, others: Tensor | None) -> list[Tensor]:
        kept = self._kept
        if kept is not None:
            return kept
        # Ordinary tensors, whatever mode they are first asked for in.
        with torch.inference_mode(False), torch.no_grad():
            made = _transformed(self.weight, len(tiles), _fine(others))
        if math.prod(tiles.shape[1:-1]) < MANY:
            self._kept = made
        return made


def _groups(tiles: Tensor, others: Tensor | None) -> list[Tensor]:
    return [tiles] if others is None else [tiles, others]


def _fine(others: Tensor | None) -> int:
    """Channels that have the other places."""
    return 0 if others is None else others.shape[-1]


def _slices(groups: Sequence[Tensor]) -> list[slice]:
    """Which of the places are in each group."""
    return [slice(len(groups[0])), slice(len(groups[0]), None)][: len(groups)]


def _transformed(weight: Tensor, places: int, fine: int) -> list[Tensor]:
    """A kernel for all channels at the first places, and one for the first channels, if any, at the others."""
    kernels = [kernel_tiles(weight, slice(places))]
    if fine and places < PATCH**2:
        kernels.append(kernel_tiles(weight[:, :fine], slice(places, None)))
    return kernels


def _convolved(groups: Sequence[Tensor], kernels: Sequence[Tensor]) -> Tensor:
    """The image ``batch x 4 rows x 4 columns x N`` that tiles and transformed kernels make."""
    *batch, rows, columns, _ = groups[0].shape[1:]
    outputs = kernels[0].shape[1]
    lines = math.prod(batch) * rows
    at_once = max(1, SCRATCH // (PATCH**2 * columns * outputs))
    of_result = [_matrices(groups[0]).of_result[:, part] for part in _slices(groups)]
    image = None
    for start in range(0, lines, at_once):
        part = slice(start, start + at_once)
        pieces = [group.flatten(1, -3)[:, part].flatten(1, 2) for group in groups]
        products = [torch.bmm(piece, kernel.mT).flatten(1) for piece, kernel in zip(pieces, kernels, strict=True)]
        blocks = of_result[0] @ products[0]
        for matrix, more in zip(of_result[1:], products[1:], strict=True):
            blocks.addmm_(matrix, more)
        if image is None:
            image = blocks.new_empty(lines, TILE, columns, TILE, outputs)
        image[part] = blocks.view(TILE, TILE, -1, columns, outputs).permute(2, 0, 3, 1, 4)
    assert image is not None
    return image.view(*batch, TILE * rows, TILE * columns, outputs)


def _joined(parts: list[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(parts, 1)


def _parts(tiles: Tensor, outputs: int) -> tuple[Tensor, ...]:
    at_once = max(1, SCRATCH_BACKWARD // (PATCH**2 * outputs))
    return (tiles,) if tiles.shape[1] <= at_once else tiles.split(at_once, 1)


class _Convolution(torch.autograd.Function):
    """:func:`_convolved` with a kernel that is not transformed yet: only that and the tiles are kept for the gradients.

    Autograd would keep the transformed kernel, which has up to four times as many numbers.
    """

    generate_vmap_rule = True

    @staticmethod
    def forward(tiles: Tensor, others: Tensor | None, weight: Tensor) -> Tensor:
        return _convolved(_groups(tiles, others), _transformed(weight, len(tiles), _fine(others)))

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Tensor | None, Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)
        ctx.save_for_forward(*inputs)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        tiles, others, weight = ctx.saved_tensors
        outputs = len(weight)
        groups = _groups(tiles, others)
        fine = _fine(others)
        matrices, slices = _matrices(grad), _slices(groups)
        kernels = _transformed(weight, len(tiles), fine) if ctx.needs_input_grad[0] else None
        of_tiles: list[list[Tensor]] = [[] for _ in groups]
        of_kernel: list[list[Tensor]] = [[] for _ in groups]
        flat = [_parts(group.flatten(1, -2), outputs) for group in groups]
        for number, blocks in enumerate(_parts(_as_blocks(grad, tiles.shape[1:-1]), outputs)):
            all_products = (matrices.of_result.T @ blocks.flatten(1)).view(-1, *blocks.shape[1:])
            for i, part in enumerate(slices):
                products = all_products[part]
                if kernels is not None:
                    of_tiles[i].append(torch.bmm(products, kernels[i]))
                if ctx.needs_input_grad[2]:
                    of_kernel[i].append(torch.bmm(products.mT, flat[i][number]))
        of_weight = None
        if of_kernel[0]:
            of_weight, *of_fine = (
                (sum(pieces[1:], pieces[0]).flatten(1).T @ matrices.of_kernel[part]).view(outputs, -1, 3, 3)
                for part, pieces in zip(slices, of_kernel, strict=True)
            )
            for more in of_fine:
                of_weight[:, :fine] += more
        of_groups = [
            _joined(pieces).view(group.shape) if pieces else None
            for pieces, group in zip(of_tiles, groups, strict=True)
        ]
        return of_groups[0], of_groups[1] if len(groups) > 1 else None, of_weight

    @staticmethod
    def jvp(ctx: Any, of_tiles: Tensor, of_others: Tensor | None, of_weight: Tensor) -> Tensor:
        tiles, others, weight = ctx.saved_tensors
        return _Convolution.apply(of_tiles, of_others, weight) + _Convolution.apply(tiles, others, of_weight)


def _as_blocks(image: Tensor, shape: Sequence[int]) -> Tensor:
    """An image as the 16 places of its blocks, ``16 x T x N``; ``shape`` is batch, rows and columns of the blocks."""
    *batch, rows, columns = shape
    blocks = image.reshape(math.prod(batch), rows, TILE, columns, TILE, -1)
    return blocks.permute(2, 4, 0, 1, 3, 5).reshape(TILE**2, -1, image.shape[-1])


class _Matrices(NamedTuple):
    r"""Of images, :math:`B^\top \otimes B^\top`, by the factor that enlarges them; of kernels and results likewise.

    36 x 36, or 25 x 16 or 9 x 9; 36 x 9; 16 x 36. The 36 are in the order of :data:`PLACES`.
    """

    of_image: dict[int, Tensor]
    of_kernel: Tensor
    of_result: Tensor


def _matrices(like: Tensor) -> _Matrices:
    if torch.compiler.is_compiling():
        return _converted(like.dtype, like.device)
    return _kept_matrices(like.dtype, like.device)


@lru_cache(maxsize=8)
def _kept_matrices(dtype: torch.dtype, device: torch.device) -> _Matrices:
    # Ordinary tensors, whatever mode they are first asked for in: autograd is to keep them later.
    with torch.inference_mode(False), torch.no_grad():
        return _converted(dtype, device)


def _converted(dtype: torch.dtype, device: torch.device) -> _Matrices:
    of_image, of_kernel, of_result = _exactly()
    images = {factor: matrix.to(device, dtype) for factor, matrix in of_image.items()}
    return _Matrices(images, of_kernel.to(device, dtype), of_result.to(device, dtype))


def _exactly() -> _Matrices:
    r"""In float64, by Toom and Cook: a product of polynomials follows from its values at points; here is its adjoint.

    With :math:`E_n`, the values at the points of polynomials with :math:`n` coefficients,

    .. math:: y = E_4^\top \left[ (E_3\, g) \odot (E_6^{-\top} d) \right].
    """

    def values(coefficients: int) -> Tensor:
        powers = [[point**power for power in range(coefficients)] for point in POINTS if point != math.inf]
        powers.insert(POINTS.index(math.inf), [0.0] * (coefficients - 1) + [1.0])
        return torch.tensor(powers, dtype=torch.float64, device="cpu")

    along = torch.linalg.inv(values(PATCH)).T
    of_image = {}
    for factor, needed in NEEDED.items():
        # Which pixel of the image that is enlarged each of the patch's pixels is.
        source = torch.arange(-1, TILE + 1, device="cpu").div(factor, rounding_mode="floor") + 1
        on_image = along[:needed] @ torch.eye(TILE // factor + 2, dtype=torch.float64, device="cpu")[source]
        of_image[factor] = torch.kron(on_image, on_image)[_raster(needed)].contiguous()
    of_kernel, of_result = (torch.kron(matrix, matrix)[_raster(PATCH)] for matrix in (values(3), values(TILE)))
    return _Matrices(of_image, of_kernel.contiguous(), of_result.T.contiguous())


def _raster(needed: int) -> list[int]:
    """Where the places of the first points are in a Kronecker product of what is along rows and columns."""
    return [needed * row + column for row, column in PLACES if max(row, column) < needed]
