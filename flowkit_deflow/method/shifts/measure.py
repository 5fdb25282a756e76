"""How the shift is estimated from the latents of unpaired images."""

from typing import NamedTuple

import torch
from torch import Tensor

from flowkit_deflow.method.shifts.moments import ClassMoments

__all__ = ["MeasuredClasses", "measure", "measure_pairs", "symmetric_root"]

# A class has its own covariance if it has at least this many places for each channel, in either domain.
PLACES_PER_CHANNEL = 10

# Directions of the latents that vary less than this count as varying by it: matrices stay invertible.
SMALLEST_STD = 1e-3


class MeasuredClasses(NamedTuple):
    """The shift, and the clean latents, in each of ``K`` classes of places.

    Attributes:
        mean: of the shift, ``K x C``.
        root: symmetric square root of the shift's covariance, ``K x C x C``.
        clean_mean: of the clean latents, ``K x C``.
        clean_root: symmetric square root of their covariance, ``K x C x C``.
    """

    mean: Tensor
    root: Tensor
    clean_mean: Tensor
    clean_root: Tensor


def measure(clean: ClassMoments, degraded: ClassMoments) -> MeasuredClasses:
    r"""Estimate the shift of every class from unpaired latents.

    .. math:: \Sigma_u(c) = \left(\operatorname{Cov}[z_y \mid c] - \operatorname{Cov}[z_x \mid c]\right)_+

    the positive part by eigenvalues. For a flow that is linear near the data, decoding then gives every class the
    variance of its degradation, whatever the flow's own scale is there.

    The two domains show different motifs, and with few images a class's difference tells of these as well. Each class
    is therefore drawn towards the mean :math:`\bar \Delta` of the classes' differences :math:`\Delta_c`, the more the
    less it is known (the estimator of James and Stein on the traces, whose variances :math:`v_c` the jackknife over
    images gives):

    .. math:: \Delta_c \leftarrow a_c \Delta_c + (1 - a_c) \bar \Delta, \qquad a_c = \frac{\tau^2}{\tau^2 + v_c}, \qquad
              \tau^2 = \Bigl(\overline{(\operatorname{tr} \Delta_c - \operatorname{tr} \bar \Delta)^2 - v_c}\Bigr)_+

    A class with too few places takes the mean.

    The mean is zero in every class. Of the difference of the domains' means the motifs' colours are the most: learned
    from 15 clean and 14 degraded photographs of one camera, it coloured images by 3 grey levels, which the real noise
    does not. A change of colours that the degradation does make is in h, which keeps them.

    Args:
        clean: sums over the clean images' latents.
        degraded: sums over the degraded images' latents, in the same classes.

    Returns:
        The measurement, in float64.

    Examples:
        >>> clean, degraded = ClassMoments(1, 1), ClassMoments(1, 1)
        >>> ones = torch.ones(1, 1, 1, 20)
        >>> clean.add(torch.arange(20.0).reshape(ones.shape) % 2, ones)
        >>> degraded.add(5 * (torch.arange(20.0).reshape(ones.shape) % 2), ones)
        >>> round(measure(clean, degraded).root.square().item(), 6)
        6.0
    """
    least = PLACES_PER_CHANNEL * clean.channels
    x = clean.with_pooled_below(least, degraded)
    return MeasuredClasses(
        torch.zeros_like(x.mean),
        symmetric_root(_shrunk_differences(clean, degraded, least)),
        x.mean,
        symmetric_root(x.covariance),
    )


def measure_pairs(clean: ClassMoments, differences: ClassMoments) -> MeasuredClasses:
    r"""Take the shift of every class from the latents of pairs, whose differences are draws of it.

    .. math:: \mu_u(c) = \operatorname{E}[z_y - z_x \mid c], \qquad
              \Sigma_u(c) = \operatorname{Cov}[z_y - z_x \mid c]

    Args:
        clean: sums over the clean images' latents.
        differences: sums over the differences of the latents of pairs, in the same classes.

    Returns:
        The measurement, in float64.
    """
    least = PLACES_PER_CHANNEL * clean.channels
    x, u = (moments.with_pooled_below(least) for moments in (clean, differences))
    return MeasuredClasses(u.mean, symmetric_root(u.covariance), x.mean, symmetric_root(x.covariance))


def _shrunk_differences(clean: ClassMoments, degraded: ClassMoments, least: float) -> Tensor:
    """Every class's difference of covariances, drawn towards their mean, ``K x C x C``."""
    enough = (clean.count >= least) & (degraded.count >= least)
    if not enough.any():
        return (degraded.pooled().covariance - clean.pooled().covariance).expand(len(enough), -1, -1)
    differences = (degraded.per_class().covariance - clean.per_class().covariance)[enough]
    share = (clean.count + degraded.count)[enough]
    share = share / share.sum()
    mean = (share[:, None, None] * differences).sum(0)
    deviation = (differences - mean).diagonal(dim1=-2, dim2=-1).sum(-1)
    variance = (clean.variance_of_total() + degraded.variance_of_total())[enough]
    known = variance.isfinite()
    between = (share * (deviation.square() - variance))[known].sum().clamp_min(0) / share[known].sum()
    trust = torch.where(variance > 0, between / (between + variance), 1.0)
    shrunk = mean.expand(len(enough), -1, -1).clone()
    shrunk[enough] = mean + trust[:, None, None] * (differences - mean)
    return shrunk


def symmetric_root(covariance: Tensor) -> Tensor:
    """The symmetric square root of the positive part of symmetric matrices ``... x C x C``, at least 0.001.

    Examples:
        >>> symmetric_root(torch.tensor([[4.0, 0.0], [0.0, -1.0]])).diagonal().tolist()
        [2.0, 0.001...]
    """
    values, vectors = torch.linalg.eigh(covariance)
    return vectors * values.clamp_min(SMALLEST_STD**2).sqrt()[..., None, :] @ vectors.mT
