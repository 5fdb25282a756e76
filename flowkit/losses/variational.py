"""The divergence of a flow's samples from a density."""

from typing import Any

import torch
from torch import Tensor

from flowkit.flow import Flow
from flowkit.losses.importance import LogDensity, log_importance_weights

__all__ = ["reverse_kl"]


def reverse_kl(
    flow: Flow,
    log_density: LogDensity,
    samples: int | tuple[int, ...],
    context: Any = None,
    label: Any = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    r"""The divergence of a flow from a density known up to a constant: what variational inference minimises.

    .. math:: \mathrm{KL}(q_\theta \,\|\, p)
              = \mathbb E_{x \sim q_\theta} [\log q_\theta(x) - \log \tilde p(x)] + \log Z

    It is estimated, but for the log-normaliser :math:`\log Z`, from samples that gradients run through, in one pass of
    the flow; inverse autoregressive flows and couplings are the fast ones.

    Args:
        flow: :math:`q_\theta`.
        log_density: :math:`\log \tilde p`, from ``batch x event`` to ``batch``.
        samples: how many, >= 1; or the shape of those for each row of a context.
        context: what the bijector is conditioned on.
        label: what the base distribution is conditioned on.
        generator: source of randomness; ``None`` for PyTorch's global one.

    Returns:
        A scalar, in nats.

    Raises:
        ValueError: the density does not give one number per sample.

    References:
        Rezende and Mohamed, "Variational inference with normalizing flows", ICML 2015, eq. 15.

    Examples:
        >>> from flowkit import iaf
        >>> reverse_kl(iaf(2), lambda x: -x.square().sum(-1) / 2, samples=100).shape
        torch.Size([])
    """
    _, log_weights = log_importance_weights(flow, log_density, samples, context, label, generator)
    return -log_weights.mean()
