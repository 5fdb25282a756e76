"""The Kullback-Leibler divergence between histograms."""

import math

import numpy as np
from numpy.typing import NDArray

from flowkit_deflow.evaluation.statistic import Array

__all__ = ["conditional_kl", "kl_divergence", "row_divergences"]

SMOOTHING_MASS = 1e-6


def kl_divergence(p_counts: Array, q_counts: Array) -> float:
    """Kullback-Leibler divergence between two histograms over the same bins, in nats.

    KL(p || q) = sum_k p_k log(p_k / q_k), with p and q the histograms' shares mixed with a uniform share:
    p = (1 - e) counts / sum(counts) + e / K, e = 1e-6, K the number of bins. So a bin that q never saw costs
    a finite amount (a log-ratio of at most log(K / e), 19.4 for 255 bins). The mass is a share and not a
    count per bin, so that the same shapes give the same divergence however many pixels were counted; at
    e = 1e-6 it is below what a megapixel can resolve. Finite samples alone give about
    (occupied bins - 1) / 2 * (1 / sum(p_counts) + 1 / sum(q_counts)), and more where p reaches into bins that
    so few pixels of q left empty.

    Args:
        p_counts: shape (K,) or (C, K), at least zero, each row with a positive sum.
        q_counts: the same shape.

    Returns:
        The divergence, at least zero; with two dimensions, its mean over the rows (channels).

    Raises:
        ValueError: the shapes differ or have neither one nor two dimensions, or a row is empty or negative.

    Examples:
        >>> kl_divergence(np.array([1.0, 1.0]), np.array([10.0, 10.0]))
        0.0
        >>> round(kl_divergence(np.array([1.0, 1.0]), np.array([1.0, 3.0])), 3)
        0.144
    """
    if p_counts.shape != q_counts.shape or p_counts.ndim not in (1, 2):
        raise ValueError(f"histograms {p_counts.shape} and {q_counts.shape} must both be (K,) or both (C, K)")
    for name, counts in (("p_counts", p_counts), ("q_counts", q_counts)):
        if (counts < 0).any() or (counts.sum(-1) <= 0).any():
            raise ValueError(f"{name} must be at least zero, with a positive sum in every row")
    return float(row_divergences(p_counts, q_counts).mean())


def conditional_kl(p_joint: Array, q_joint: Array, bins: NDArray[np.bool_]) -> float:
    """Divergence of residuals given the brightness: the mean of KL(p | bin || q | bin) over p's pixels.

    Photographs' noise depends on the brightness. Two sets can agree in the residuals of all pixels together
    and differ at each brightness; this number sees it, `kl_divergence` of the plain histograms does not.

    Args:
        p_joint: shape (C, B, K), pixel counts over channel, brightness and residual.
        q_joint: the same shape; normalised in each brightness bin, so its own brightnesses do not count.
        bins: shape (B,), the brightness bins to compare.

    Returns:
        The divergence in nats, the mean over the channels; NaN if `bins` is true nowhere.

    Raises:
        ValueError: the shapes do not fit, or a bin to be compared is empty on a side.
    """
    if p_joint.shape != q_joint.shape or p_joint.ndim != 3 or bins.shape != p_joint.shape[1:2]:
        shapes = f"{p_joint.shape}, {q_joint.shape} and {bins.shape}"
        raise ValueError(f"expected joint histograms (C, B, K) twice and bins (B,), got the shapes {shapes}")
    if not bins.any():
        return math.nan
    p, q = p_joint[:, bins], q_joint[:, bins]
    weights = p.sum(-1)
    if (weights <= 0).any() or (q.sum(-1) <= 0).any():
        raise ValueError("a brightness bin to be compared has no pixels on one side")
    return float((weights * row_divergences(p, q)).sum() / weights.sum())


def row_divergences(p_counts: Array, q_counts: Array) -> Array:
    """The divergences of `kl_divergence` along the last axis: shape (..., K) twice to (...)."""
    bins = p_counts.shape[-1]
    p = (1 - SMOOTHING_MASS) * p_counts / p_counts.sum(-1, keepdims=True) + SMOOTHING_MASS / bins
    q = (1 - SMOOTHING_MASS) * q_counts / q_counts.sum(-1, keepdims=True) + SMOOTHING_MASS / bins
    return np.asarray((p * np.log(p / q)).sum(-1), dtype=np.float64)
