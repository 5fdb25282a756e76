"""Self-attention, and what it keeps of the tokens before."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.recorded import Recorded

__all__ = ["KeyValueCache", "SelfAttention"]


class KeyValueCache:
    """The keys and values of the tokens that one attention layer has seen, so that each is computed once.

    It belongs to the call that decodes a sequence, never to the layer.

    Attributes:
        length: of how many tokens.

    Examples:
        >>> cache = KeyValueCache()
        >>> keys, values = cache.extended(torch.zeros(1, 2, 1, 3), torch.zeros(1, 2, 1, 3))
        >>> keys, values = cache.extended(torch.ones(1, 2, 1, 3), torch.ones(1, 2, 1, 3))
        >>> cache.length, keys.shape
        (2, torch.Size([1, 2, 2, 3]))
    """

    def __init__(self) -> None:
        self.length = 0
        self._kept: tuple[Tensor, Tensor] | None = None

    def extended(self, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Those of all tokens, the new ones last: ``samples x heads x tokens x size`` each."""
        if self._kept is not None:
            before_keys, before_values = self._kept
            keys, values = torch.cat([before_keys, keys], -2), torch.cat([before_values, values], -2)
        self._kept = keys, values
        self.length = keys.shape[-2]
        return keys, values


class SelfAttention(Recorded, nn.Module):
    r"""Multi-head self-attention, by torch's ``scaled_dot_product_attention``.

    .. math:: [q, k, v] = h W, \qquad
              a = \operatorname{softmax}\left(\frac{q k^T}{\tau \sqrt d}\right) v, \qquad y = a V + b

    for each of the heads, of size :math:`d = \text{width} / \text{heads}`. The first projection has no bias: that of
    the keys would change nothing.

    The fused kernels that torch chooses have no second derivatives: run what takes them under
    ``torch.nn.attention.sdpa_kernel(torch.nn.attention.SDPBackend.MATH)``.

    Args:
        width: entries of a token, a multiple of ``heads``.
        heads: how many, >= 1.

    Raises:
        ValueError: ``width`` is no such multiple.

    References:
        Vaswani et al., "Attention is all you need", NeurIPS 2017, sec. 3.2.

    Examples:
        >>> SelfAttention(8, heads=2)(torch.rand(5, 3, 8)).shape
        torch.Size([5, 3, 8])
    """

    def __init__(self, width: int, heads: int = 4) -> None:
        super().__init__()
        if heads < 1 or width < 1 or width % heads:
            raise ValueError(
                f"width is {width} and heads {heads}; the width must be a multiple of the heads, of 1 or more"
            )
        self.heads = heads
        self.project_in = nn.Linear(width, 3 * width, bias=False)
        self.project_out = nn.Linear(width, width)

    def forward(
        self, h: Tensor, causal: bool = False, cache: KeyValueCache | None = None, temperature: float = 1.0
    ) -> Tensor:
        r"""Attend.

        Args:
            h: ``samples x tokens x width``; with a cache the next token alone.
            causal: whether a token sees itself and those before it, and not those after it.
            cache: what is kept of the tokens before; the new ones' are added.
            temperature: :math:`\tau`, > 0: under 1 attention is sharper than it was trained, above 1 flatter.

        Returns:
            ``samples x tokens x width``.
        """
        queries, keys, values = (
            part.transpose(-3, -2) for part in self.project_in(h).unflatten(-1, (3, self.heads, -1)).unbind(-3)
        )
        if cache is not None:
            keys, values = cache.extended(keys, values)
        scale = 1 / (temperature * math.sqrt(queries.shape[-1]))
        attended = F.scaled_dot_product_attention(
            queries, keys, values, is_causal=causal and cache is None, scale=scale
        )
        return self.project_out(attended.transpose(-3, -2).flatten(-2))
