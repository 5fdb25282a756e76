"""Generalised Gaussians, fitted by their moments."""

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor

__all__ = ["AsymmetricFit", "fit_asymmetric", "fit_symmetric", "moment_ratio"]

# The shapes that the published programs look among.
FLATTEST, STEEPEST, STEP = 0.2, 10.0, 0.001


class AsymmetricFit(NamedTuple):
    """An asymmetric generalised Gaussian.

    Attributes:
        shape: alpha; 2 for a Gaussian.
        left_std: root mean square of the negative values.
        right_std: that of the positive values.
    """

    shape: Tensor
    left_std: Tensor
    right_std: Tensor

    @property
    def scale_factor(self) -> Tensor:
        r"""The scales over the standard deviations, :math:`\sqrt{\Gamma(1/\alpha) / \Gamma(3/\alpha)}`."""
        return (0.5 * (torch.lgamma(1 / self.shape) - torch.lgamma(3 / self.shape))).exp()

    @property
    def mean_factor(self) -> Tensor:
        r"""The mean over the difference of the scales, :math:`\Gamma(2/\alpha) / \Gamma(1/\alpha)`."""
        return (torch.lgamma(2 / self.shape) - torch.lgamma(1 / self.shape)).exp()


def moment_ratio(shape: Tensor) -> Tensor:
    r""":math:`E|x|^2 / E x^2 = \Gamma(2/\alpha)^2 / (\Gamma(1/\alpha) \Gamma(3/\alpha))` of a generalised Gaussian.

    Examples:
        >>> round(moment_ratio(torch.tensor(2.0, dtype=torch.float64)).item(), 4)  # 2 / pi
        0.6366
    """
    return (2 * torch.lgamma(2 / shape) - torch.lgamma(1 / shape) - torch.lgamma(3 / shape)).exp()


def fit_symmetric(values: Tensor) -> tuple[Tensor, Tensor]:
    """Shape and variance of a generalised Gaussian about zero with the values' first two absolute moments.

    Args:
        values: ``... x N``, float64.

    Returns:
        Shapes from 0.2 to 10 in steps of 0.001, and variances.

    References:
        K. Sharifi, A. Leon-Garcia, "Estimation of Shape Parameter for Generalized Gaussian Distributions in Subband
        Decompositions of Video", IEEE TCSVT 1995.
    """
    variance = values.square().mean(-1)
    # The published program looks for the nearest of the inverse ratios.
    return _nearest_shape(variance / values.abs().mean(-1).square(), inverse=True), variance


def fit_asymmetric(values: Tensor) -> AsymmetricFit:
    """An asymmetric generalised Gaussian about zero.

    Args:
        values: ``... x N``, float64.

    Returns:
        The fits; NaN where all values have one sign.

    References:
        N.-E. Lasmar, Y. Stitou, Y. Berthoumieu, "Multiscale Skewed Heavy Tailed Model for Texture Analysis", ICIP 2009.
    """
    left, right = (_root_mean_square(values, side) for side in (values < 0, values > 0))
    skew = left / right
    ratio = values.abs().mean(-1).square() / values.square().mean(-1)
    normalized = ratio * (skew**3 + 1) * (skew + 1) / (skew.square() + 1).square()
    shape = torch.where(normalized.isnan(), torch.nan, _nearest_shape(normalized, inverse=False))
    return AsymmetricFit(shape, left, right)


def _root_mean_square(values: Tensor, chosen: Tensor) -> Tensor:
    return ((values.square() * chosen).sum(-1) / chosen.sum(-1)).sqrt()


@cache
def _shapes() -> tuple[Tensor, Tensor]:
    count = round((STEEPEST - FLATTEST) / STEP) + 1
    shapes = torch.linspace(FLATTEST, STEEPEST, count, dtype=torch.float64)
    return shapes, moment_ratio(shapes)


def _nearest_shape(ratios: Tensor, inverse: bool) -> Tensor:
    """The shapes whose moment ratio, or its inverse, is nearest."""
    shapes, table = (part.to(ratios.device) for part in _shapes())
    if inverse:
        shapes, table = shapes.flip(0), (1 / table).flip(0)
    above = torch.searchsorted(table, ratios.contiguous()).clamp(1, len(table) - 1)
    nearer_below = ratios - table[above - 1] <= table[above] - ratios
    return shapes[above - nearer_below.long()]
