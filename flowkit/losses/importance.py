"""Importance weights of a flow's samples under a density, and what they tell."""

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from flowkit.flow import Flow
from flowkit.naming import named

__all__ = ["effective_sample_size", "importance_weighted_bound", "log_importance_weights"]

# A log-density, known up to a constant: ``batch x event`` to one number per sample.
LogDensity = Callable[[Tensor], Tensor]


def log_importance_weights(
    flow: Flow,
    log_density: LogDensity,
    samples: int | tuple[int, ...],
    context: Any = None,
    label: Any = None,
    generator: torch.Generator | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Samples of a flow and their log-weights under a density, :math:`\log w = \log \tilde p(x) - \log q(x)`.

    Args:
        flow: :math:`q`, whose samples are differentiable functions of its parameters.
        log_density: :math:`\log \tilde p`, known up to a constant, from ``batch x event`` to ``batch``.
        samples: how many, or the shape of those for each row of a context.
        context: what the bijector is conditioned on.
        label: what the base distribution is conditioned on.
        generator: source of randomness; ``None`` for PyTorch's global one.

    Returns:
        The samples ``batch x event``, and their log-weights, of the batch shape; both with gradients.

    Raises:
        TypeError: the first argument is no flow.
        ValueError: no samples are asked for, or the density does not give one number per sample.

    References:
        Müller et al., "Neural importance sampling", ACM Transactions on Graphics, 2019.

    Examples:
        >>> from flowkit import maf
        >>> x, log_weights = log_importance_weights(maf(2), lambda x: -x.square().sum(-1) / 2, 100)
        >>> x.shape, log_weights.shape
        (torch.Size([100, 2]), torch.Size([100]))
    """
    if not hasattr(flow, "rsample_and_log_prob"):
        raise TypeError(f"the first argument is a flow, the second a log-density; got {named(flow)} for the flow")
    x, log_q = flow.rsample_and_log_prob(samples, context=context, label=label, generator=generator)
    if not log_q.numel():
        raise ValueError(f"samples is {samples}: got no samples to estimate from, at least 1 is needed")
    log_p = log_density(x)
    if log_p.shape != log_q.shape:
        raise ValueError(
            f"log_density gave a tensor of shape {tuple(log_p.shape)} for samples of batch shape {tuple(log_q.shape)}: "
            "it must give one number for each; sum over the event"
        )
    return x, log_p - log_q


def effective_sample_size(log_weights: Tensor) -> Tensor:
    r"""How many samples of the density itself weighted samples are worth: :math:`(\sum_i w_i)^2 / \sum_i w_i^2`.

    Args:
        log_weights: of the samples along the first dimension, at least one; any constant may be added to all.

    Returns:
        Numbers from 1 to the number of samples, of the shape of the other dimensions.

    Raises:
        ValueError: there is no sample.

    References:
        Kong, "A note on importance sampling using standardized weights", technical report 348, University of
        Chicago, 1992.

    Examples:
        >>> effective_sample_size(torch.zeros(8)).item()
        8.0
    """
    if not log_weights.ndim or not len(log_weights):
        raise ValueError(f"effective_sample_size got log-weights of shape {tuple(log_weights.shape)}; none is there")
    # Of weights of order 1, so that large logarithms lose no digits.
    weights = (log_weights - log_weights.amax(0).detach()).exp()
    return weights.sum(0).square() / weights.square().sum(0)


def importance_weighted_bound(
    flow: Flow,
    log_density: LogDensity,
    samples: int,
    particles: int,
    context: Any = None,
    label: Any = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""A lower bound of the log-normaliser of a density, tighter the more particles there are.

    .. math:: \mathbb E \log \frac1K \sum_{k=1}^K \frac{\tilde p(x_k)}{q(x_k)} \le \log \int \tilde p(x)\, dx,
              \qquad x_k \sim q

    To train by, take its negative. With one particle it is the evidence lower bound, minus :func:`reverse_kl`.

    Args:
        flow: :math:`q`.
        log_density: :math:`\log \tilde p`, as for :func:`log_importance_weights`, of batches of any shape.
        samples: how many estimates are averaged, >= 1.
        particles: ``K``, how many samples each estimate has, >= 1.
        context: what the bijector is conditioned on, a row or several: the bound is the mean of theirs, from samples
            ``particles x samples x rows x event``.
        label: what the base distribution is conditioned on; likewise.
        generator: source of randomness; ``None`` for PyTorch's global one.

    Returns:
        A scalar, in nats.

    Raises:
        ValueError: a number is under 1, or the density does not give one number per sample.

    References:
        Burda, Grosse and Salakhutdinov, "Importance weighted autoencoders", ICLR 2016, eq. 8.

    Examples:
        >>> from flowkit import iaf
        >>> importance_weighted_bound(iaf(2), lambda x: -x.square().sum(-1) / 2, samples=10, particles=5).shape
        torch.Size([])
    """
    if samples < 1 or particles < 1:
        raise ValueError(f"samples is {samples} and particles {particles}; both must be at least 1")
    _, log_weights = log_importance_weights(flow, log_density, (particles, samples), context, label, generator)
    return (log_weights.logsumexp(0) - math.log(particles)).mean()
