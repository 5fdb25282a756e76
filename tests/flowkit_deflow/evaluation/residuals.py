"""Residuals that are known, and what is measured of them."""

import math

import numpy as np
import skimage.data
import torch
from torch import Tensor

from flowkit_deflow.evaluation.divergence import kl_divergence
from flowkit_deflow.evaluation.image_set import ImageSet
from flowkit_deflow.evaluation.measurement import measure
from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.quantities import QUANTITIES
from flowkit_deflow.evaluation.quantities.histogram import ResidualHistogram
from flowkit_deflow.evaluation.quantities.noise_level import Moments
from flowkit_deflow.evaluation.residual_bins import RESIDUAL_CENTRES
from flowkit_deflow.evaluation.white_gaussian import white_gaussian_shares

KINDS = list(dict.fromkeys(kind for quantity in QUANTITIES for kind in quantity.needs))
SIDE = 256
# 3 * 256^2 values: estimates of correlations have a standard error of 1 / sqrt(196608) = 0.0023.
CORRELATION_ERROR = 5 * 0.0023


def white_noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def laplace_noise(*shape: int) -> Tensor:
    uniform = torch.rand(*shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64) - 0.5
    # Variance 1: a Laplace distribution of scale b has variance 2 b^2.
    return -uniform.sign() * (1 - 2 * uniform.abs()).log() / math.sqrt(2)


def grey(*shape: int) -> Tensor:
    return torch.full(shape, 0.5, dtype=torch.float64)


def photograph(name: str) -> Tensor:
    return torch.from_numpy(getattr(skimage.data, name)().copy()).permute(2, 0, 1) / 255


def measured(*residuals: Tensor) -> ImageSet:
    return measure((Pair(grey(*r.shape) + r, grey(*r.shape)) for r in residuals), KINDS)


def gaussian_counts(mean: float, std: float) -> np.ndarray:
    edges = torch.from_numpy(np.append(RESIDUAL_CENTRES - 0.5 / 255, RESIDUAL_CENTRES[-1] + 0.5 / 255))
    return 1e6 * torch.erf((edges - mean) / (std * math.sqrt(2))).diff().numpy() / 2


def kl_of_white(images: ImageSet) -> float:
    """KL(set || the white Gaussian fitted to it)."""
    return kl_divergence(images[ResidualHistogram].counts, white_gaussian_shares(images[Moments]))


def noise_like(image: Tensor, seed: int) -> Tensor:
    return torch.randn(image.shape, generator=torch.Generator().manual_seed(seed))


def unclipped_photograph(name: str) -> Tensor:
    """A crop away from black and white, so that adding noise does not clip."""
    return photograph(name)[:, :96, :128] * 0.6 + 0.2
