"""A layer of a transformer."""

from torch import Tensor, nn

from flowkit.nn.attention import KeyValueCache, SelfAttention
from flowkit.recorded import Recorded

__all__ = ["TransformerBlock"]


class TransformerBlock(Recorded, nn.Module):
    r"""Attention, then a perceptron on each token, both on normalised tokens and added to them.

    .. math:: h' = h + \operatorname{attention}(\operatorname{norm}(h)), \qquad
              y = h' + W_2 \operatorname{GELU}(W_1 \operatorname{norm}(h') + b_1) + b_2

    Args:
        width: entries of a token, a multiple of ``heads``.
        heads: of the attention, >= 1.
        expansion: width of the perceptron's hidden layer, in widths, >= 1.

    Raises:
        ValueError: ``width`` is no such multiple, or ``expansion`` under 1.

    References:
        Vaswani et al., "Attention is all you need", NeurIPS 2017, sec. 3; the norms first: Xiong et al., "On layer
        normalization in the transformer architecture", ICML 2020.

    Examples:
        >>> import torch
        >>> TransformerBlock(8, heads=2)(torch.rand(5, 3, 8), causal=True).shape
        torch.Size([5, 3, 8])
    """

    def __init__(self, width: int, heads: int = 4, expansion: int = 4) -> None:
        super().__init__()
        if expansion < 1:
            raise ValueError(f"expansion is {expansion}; it must be at least 1")
        self.attention_norm = nn.LayerNorm(width)
        self.attention = SelfAttention(width, heads)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = nn.Sequential(nn.Linear(width, expansion * width), nn.GELU(), nn.Linear(expansion * width, width))

    def forward(
        self, h: Tensor, causal: bool = False, cache: KeyValueCache | None = None, temperature: float = 1.0
    ) -> Tensor:
        """``samples x tokens x width`` to the same; arguments as of :class:`SelfAttention`."""
        h = h + self.attention(self.attention_norm(h), causal, cache, temperature)
        return h + self.mlp(self.mlp_norm(h))
