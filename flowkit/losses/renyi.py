"""Rényi's divergence of a flow's samples from a density."""

import math
from typing import Any

import torch
from torch import Tensor

from flowkit.flow import Flow
from flowkit.losses.importance import LogDensity, log_importance_weights
from flowkit.losses.variational import reverse_kl

__all__ = ["alpha_divergence"]


def alpha_divergence(
    flow: Flow,
    log_density: LogDensity,
    samples: int,
    alpha: float,
    context: Any = None,
    label: Any = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""Rényi's divergence of order :math:`\alpha` of a flow from a density known up to a constant.

    .. math:: D_\alpha(q_\theta \,\|\, p) = \frac{1}{\alpha - 1} \log \mathbb E_{x \sim q_\theta}
              \left(\frac{\tilde p(x)}{q_\theta(x)}\right)^{1 - \alpha} + \log Z

    It is estimated without the log-normaliser :math:`\log Z`. Towards 0 it asks the flow to cover all of the density,
    at 1 it is :func:`reverse_kl`, and above it keeps the flow to where the density is high. The logarithm of a mean
    of samples is biased, by about the variance of the powers over twice their number.

    Args:
        flow: :math:`q_\theta`.
        log_density: :math:`\log \tilde p`, from ``batch x event`` to ``batch``.
        samples: how many, >= 1.
        alpha: the order, >= 0.
        context: what the bijector is conditioned on, a row or several: the divergence is the mean of theirs, each from
            so many samples, ``samples x rows x event``.
        label: what the base distribution is conditioned on; likewise.
        generator: source of randomness; ``None`` for PyTorch's global one.

    Returns:
        A scalar, in nats.

    Raises:
        ValueError: ``alpha`` is negative or not finite, ``samples`` is under 1, or the density does not give one number
            per sample.

    References:
        Li and Turner, "Rényi divergence variational inference", NeurIPS 2016, eqs. 5 and 8.

    Examples:
        >>> from flowkit import iaf
        >>> alpha_divergence(iaf(2), lambda x: -x.square().sum(-1) / 2, samples=100, alpha=0.5).shape
        torch.Size([])
    """
    if not 0 <= alpha < math.inf:
        raise ValueError(f"alpha is {alpha}; the order of a divergence is at least 0, and finite")
    if samples < 1:
        raise ValueError(f"samples is {samples}; an estimate needs at least 1")
    if alpha == 1:
        return reverse_kl(flow, log_density, (samples,), context, label, generator)
    _, log_weights = log_importance_weights(flow, log_density, (samples,), context, label, generator)
    return _log_mean_exp((1 - alpha) * log_weights).mean() / (alpha - 1)


def _log_mean_exp(values: Tensor) -> Tensor:
    """The logarithm of the mean of exponentials, exact where these are near 1: near the order 1 it is divided by 0."""
    largest = values.detach().amax(0).clamp(min=torch.finfo(values.dtype).min)
    return largest + torch.log1p(torch.expm1(values - largest).mean(0))
