"""Sums of radial bumps on a sphere, and the exponential map of their gradients."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from flowkit.ops.polynomial import polynomial

__all__ = ["RadialPotential", "dot", "without_radial"]

# Series in the square of a length below 1, which eleven terms leave no error of: the square root itself has no
# derivative at 0.
TERMS = 11
COSINE = [(-1) ** n / math.factorial(2 * n) for n in range(TERMS)]
SINE_RATIO = [(-1) ** n / math.factorial(2 * n + 1) for n in range(TERMS)]
# (cos r - sin r / r) / r^2
SLOPE = [cosine - ratio for cosine, ratio in zip(COSINE[1:], SINE_RATIO[1:], strict=True)]


class RadialPotential(NamedTuple):
    r"""A sum of radial bumps, :math:`\phi(x) = \sum_k \frac{\alpha_k}{\beta_k} e^{\beta_k (\mu_k^\top x - 1)}`.

    Attributes:
        centres: :math:`\mu`, unit vectors ``batch x components x features``.
        concentrations: :math:`\beta`, > 0, ``batch x components``.
        weights: :math:`\alpha`, > 0, of a sum below 1, ``batch x components``.
    """

    centres: Tensor
    concentrations: Tensor
    weights: Tensor

    def moved(self, x: Tensor) -> Tensor:
        """Unit vectors ``batch x features``, each moved along the potential's gradient as far as that is long."""
        tangent = without_radial(x, self._gradient(self._rises(x)))
        square = dot(tangent, tangent)
        return polynomial(COSINE, square) * x + polynomial(SINE_RATIO, square) * tangent

    def moved_and_derivative(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The moved vectors, and a matrix for each: the derivative, of tangent vectors, and ``x`` to the moved one."""
        rises = self._rises(x)
        gradient = self._gradient(rises)
        radial = dot(gradient, x)
        tangent = gradient - radial * x
        square = dot(tangent, tangent)
        cosine, ratio, slope = (polynomial(terms, square) for terms in (COSINE, SINE_RATIO, SLOPE))
        moved = cosine * x + ratio * tangent

        weighted = (rises * self.concentrations).unsqueeze(-1) * self.centres
        hessian = weighted.transpose(-1, -2) @ self.centres
        one = torch.eye(x.shape[-1], dtype=x.dtype, device=x.device)
        # The derivative of the tangent along a tangent vector, but for its radial part.
        turned = hessian - radial.unsqueeze(-1) * one
        matrix = (
            cosine.unsqueeze(-1) * one
            + ratio.unsqueeze(-1) * turned
            + _outer(slope * tangent - ratio * x, _applied(turned, tangent))
            - _outer(ratio * x, gradient + _applied(hessian, x))
        )
        return moved, matrix + _outer(moved - _applied(matrix, x), x)

    def _rises(self, x: Tensor) -> Tensor:
        """How much each bump rises towards its centre, ``batch x components``."""
        cosines = (self.centres * x.unsqueeze(-2)).sum(-1)
        return self.weights * (self.concentrations * (cosines - 1)).exp()

    def _gradient(self, rises: Tensor) -> Tensor:
        """The gradient in space, of which the sphere's is the tangent part."""
        return (rises.unsqueeze(-1) * self.centres).sum(-2)


def without_radial(x: Tensor, vector: Tensor) -> Tensor:
    """The part of a vector that is tangent to the sphere at ``x``."""
    return vector - dot(vector, x) * x


def dot(a: Tensor, b: Tensor) -> Tensor:
    """The inner products of vectors, with a last dimension of 1."""
    return (a * b).sum(-1, keepdim=True)


def _outer(a: Tensor, b: Tensor) -> Tensor:
    return a.unsqueeze(-1) * b.unsqueeze(-2)


def _applied(matrix: Tensor, vector: Tensor) -> Tensor:
    return (matrix @ vector.unsqueeze(-1)).squeeze(-1)
