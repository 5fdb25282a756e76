"""The divergence of a flow from data: the negative log-likelihood."""

from typing import Any

from torch import Tensor

from flowkit.flow import Flow

__all__ = ["forward_kl"]


def forward_kl(flow: Flow, x: Tensor, context: Any = None, label: Any = None) -> Tensor:
    r"""The mean negative log-likelihood of data, which is :math:`\mathrm{KL}(p \,\|\, q)` but for the data's entropy.

    .. math:: \mathrm{KL}(p \,\|\, q_\theta) = -\mathbb E_{x \sim p} \log q_\theta(x \mid c) - H(p)

    Args:
        flow: :math:`q_\theta`.
        x: data from ``p``, ``batch x event``.
        context: what the bijector is conditioned on.
        label: what the base distribution is conditioned on.

    Returns:
        A scalar, in nats.

    Raises:
        ValueError: there is no data.

    References:
        Papamakarios et al., "Normalizing flows for probabilistic modeling and inference", JMLR 2021, sec. 2.3.1.

    Examples:
        >>> import torch
        >>> from flowkit import maf
        >>> forward_kl(maf(2), torch.randn(100, 2)).shape
        torch.Size([])
    """
    log_prob = flow(x, context, label)
    if not log_prob.numel():
        raise ValueError(f"forward_kl got no data: a tensor of shape {tuple(x.shape)}")
    return -log_prob.mean()
