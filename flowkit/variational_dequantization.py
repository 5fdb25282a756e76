"""From discrete values to a density: dequantisation by learned noise."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.bijector import Bijector, Shape, sum_event
from flowkit.bijectors.parts import require_bijector
from flowkit.dequantization import require_levels
from flowkit.distributions.distribution import normal_like
from flowkit.distributions.standard_normal import StandardNormal
from flowkit.recorded import Recorded

__all__ = ["VariationalDequantization"]


class VariationalDequantization(Recorded, nn.Module):
    r"""Add noise as wide as a quantisation step, its distribution within the step learned by a conditional flow.

    .. math:: v = x + (u - \tfrac12)/n, \qquad u = \sigma(g(\varepsilon, x)), \qquad \varepsilon \sim N(0, I),

    with ``g`` the inverse direction of a bijector given ``x`` and :math:`\sigma` the logistic function, so that ``u``
    lies in (0, 1). The bound :math:`\log P(x) \ge \mathbb E_v[\log p(v) - \log q(v|x)]` is that of
    :class:`~flowkit.UniformDequantization`, with the density of the noise

    .. math:: \log q(v|x) = \log N(\varepsilon) - \log\left|\det\frac{\partial g}{\partial\varepsilon}\right|
              - \sum_i \log\bigl(u_i (1 - u_i)\bigr) + D \log n,

    and is tighter once the noise is trained, together with the flow, on that bound. Gradients flow through ``v`` and
    ``log q`` to the bijector.

    Args:
        bijector: ``g`` is its ``inverse``, noise to logits of ``u``, of the event shape of ``x``; the context that it
            gets is ``x`` (:class:`~flowkit.ContextMap` puts an encoder before it). The identity gives noise whose
            logit is standard normal, a little more in the middle than uniform noise. It may be multi-scale.
        bins: number of levels ``n`` of values in [0, 1]; 256 for 8 bits.

    Raises:
        ValueError: ``bins`` is under 1.
        TypeError: the bijector is none, or (when called) the data are no floating-point tensor.

    References:
        Ho, Chen, Srinivas, Duan and Abbeel, "Flow++: improving flow-based generative models with variational
        dequantization and architecture design", 2019, sec. 3.1.

    Examples:
        >>> from flowkit import Injector
        >>> dequantize = VariationalDequantization(Injector(4, nn.Linear(4, 8), event_dims=1))
        >>> x = torch.randint(256, (2, 4)) / 256
        >>> v, log_q = dequantize(x)
        >>> bool((v - x).abs().max() <= 0.5 / 256), log_q.shape
        (True, torch.Size([2]))
    """

    def __init__(self, bijector: Bijector[Any, Any], bins: int = 256) -> None:
        super().__init__()
        if bins < 1:
            raise ValueError(f"bins is {bins}; dequantisation needs at least 1 level")
        require_bijector(bijector, "VariationalDequantization")
        self.bijector = bijector
        self.bins = bins
        self.base = StandardNormal(bijector.event_dims)

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> tuple[Tensor, Tensor]:
        """Dequantise.

        Args:
            x: ``batch x event``, floating point.
            generator: source of randomness; ``None`` for PyTorch's global one.

        Returns:
            The noisy values and log q(v|x), one number per sample, at least float32.
        """
        require_levels(x, self.bins)
        event_dims = self.bijector.event_dims
        batch, event = x.shape[: x.ndim - event_dims], x.shape[x.ndim - event_dims :]
        exact = x.to(torch.promote_types(x.dtype, torch.float32))
        noise = _noise(self.bijector.output_shape(tuple(event)), batch, exact, generator)
        logits, log_det = self.bijector.inverse(noise, exact)
        logits = logits.to(exact.dtype)
        # The sigmoid's derivative from the logits: from u itself it would be 0 where u rounds to 1.
        log_slope = sum_event(F.logsigmoid(logits) + F.logsigmoid(-logits), event_dims)
        log_q = self.base.log_prob(noise) - log_det - log_slope + math.prod(event) * math.log(self.bins)
        return (exact + (logits.sigmoid() - 0.5) / self.bins).to(x.dtype), log_q


def _noise(shape: Shape, batch: tuple[int, ...], like: Tensor, generator: torch.Generator | None) -> Any:
    """Standard normal numbers, ``batch x shape``; a tuple of them for a tuple of shapes."""
    if shape and isinstance(shape[0], tuple):
        return tuple(_noise(part, batch, like, generator) for part in shape)
    return normal_like((*batch, *shape), like, generator)
