"""The matrices of Winograd's 3x3 convolution, and the points that they follow from."""

import math
from functools import lru_cache
from itertools import product
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["NEEDED", "ONES", "PATCH", "TILE", "Matrices", "matrices"]

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

ONES = PLACES.index((POINTS.index(1.0), POINTS.index(1.0)))
"""The place whose number is added to every pixel of a block: all powers of 1 are 1."""


class Matrices(NamedTuple):
    r"""Of images, :math:`B^\top \otimes B^\top`, by the factor that enlarges them; of kernels and results likewise.

    36 x 36, or 25 x 16 or 9 x 9; 36 x 9; 16 x 36. The 36 are in the order of :data:`PLACES`.
    """

    of_image: dict[int, Tensor]
    of_kernel: Tensor
    of_result: Tensor


def matrices(like: Tensor) -> Matrices:
    """The matrices in the type of a tensor, on its device.

    Args:
        like: the tensor.

    Returns:
        They are made once for each type and device.

    Examples:
        >>> {factor: tuple(matrix.shape) for factor, matrix in matrices(torch.rand(1)).of_image.items()}
        {1: (36, 36), 2: (25, 16), 4: (9, 9)}
    """
    if torch.compiler.is_compiling():
        return _converted(like.dtype, like.device)
    return _kept_matrices(like.dtype, like.device)


@lru_cache(maxsize=8)
def _kept_matrices(dtype: torch.dtype, device: torch.device) -> Matrices:
    # Ordinary tensors, whatever mode they are first asked for in: autograd is to keep them later.
    with torch.inference_mode(False), torch.no_grad():
        return _converted(dtype, device)


def _converted(dtype: torch.dtype, device: torch.device) -> Matrices:
    of_image, of_kernel, of_result = _exactly()
    images = {factor: matrix.to(device, dtype) for factor, matrix in of_image.items()}
    return Matrices(images, of_kernel.to(device, dtype), of_result.to(device, dtype))


def _exactly() -> Matrices:
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
    return Matrices(of_image, of_kernel.contiguous(), of_result.T.contiguous())


def _raster(needed: int) -> list[int]:
    """Where the places of the first points are in a Kronecker product of what is along rows and columns."""
    return [needed * row + column for row, column in PLACES if max(row, column) < needed]
