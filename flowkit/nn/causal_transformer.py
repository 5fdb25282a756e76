"""The causal transformer as a conditioner: the parameters of a token depend on the tokens before it alone."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from flowkit.nn.attention import KeyValueCache
from flowkit.nn.context_linear import ContextLinear, require_features
from flowkit.nn.mlp import zero_
from flowkit.nn.tokens import context_tokens, flat_batch, require_grid
from flowkit.nn.transformer_block import TransformerBlock
from flowkit.recorded import Recorded

__all__ = ["CausalTransformer"]


class CausalTransformer(Recorded, nn.Module):
    r"""A transformer over a sequence whose output for a token sees the tokens before it, and the context.

    .. math:: h_0 = [s,\, W x_1 + b, \dots, W x_{n-1} + b] + V c + p, \qquad
              h_l = \operatorname{block}_l(h_{l-1}), \qquad \theta_i = U \operatorname{norm}(h_{L,i}) + d

    with causal attention in the blocks, a learned start :math:`s` and a learned vector :math:`p` for each place. The
    context's part is computed once per context, by :meth:`prepare`. The last layer starts at zero.

    Given a cache, it takes the tokens one by one and gives the next one's parameters, at the cost of one token.

    Args:
        channels: entries of a token, >= 1.
        parameters_per_element: outputs for each entry, >= 1.
        grid: height and width of the image that the tokens are the positions of, row by row.
        width: entries of a token within, a multiple of ``heads``.
        layers: how many transformer blocks, >= 1.
        heads: of each block's attention, >= 1.
        context_channels: channels of the context, an image of that height and width, or of 1 x 1; 0 for none. The
            parameters at a position depend on the context there and at the positions before.

    Raises:
        ValueError: a size is too small; (when called) there are other tokens than positions, a context is missing, or
            given where none was announced, or of other size.

    References:
        Zhai et al., "Normalizing flows are capable generative models", ICML 2025, sec. 2 (TarFlow, whose first
        token is not transformed; here its parameters follow from :math:`s`).

    Examples:
        >>> network = CausalTransformer(3, 2, (2, 2), width=16, layers=1)
        >>> with torch.no_grad():
        ...     _ = network.last.weight.normal_()
        >>> jacobian = torch.func.jacrev(lambda x: network(x).sum(-1))(torch.rand(4, 3)).sum(-1)
        >>> (jacobian != 0).int()
        tensor([[0, 0, 0, 0],
                [1, 0, 0, 0],
                [1, 1, 0, 0],
                [1, 1, 1, 0]], dtype=torch.int32)
    """

    def __init__(
        self,
        channels: int,
        parameters_per_element: int,
        grid: Sequence[int],
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        context_channels: int = 0,
    ) -> None:
        super().__init__()
        require_features("the output", parameters_per_element)
        require_features("the stack of layers", layers)
        self.grid = (grid[0], grid[1])
        self.embed = ContextLinear(channels, width, context_channels)
        self.start = nn.Parameter(0.02 * torch.randn(width))
        self.positions = nn.Parameter(0.02 * torch.randn(require_grid(self, self.grid), width))
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.last = nn.Linear(width, channels * parameters_per_element)
        zero_(self.last)

    @property
    def length(self) -> int:
        """How many tokens a sequence has."""
        return self.grid[0] * self.grid[1]

    @property
    def context_dims(self) -> int | None:
        """Dimensions of the context of one sample; ``None`` without one."""
        return 3 if self.embed.context_features else None

    def prepare(self, context: Tensor | None) -> Tensor | None:
        """The first layer's part over the context ``batch x context_channels x H x W``; ``None`` for none."""
        return self.embed.prepare(context_tokens(context, self.grid))

    def new_cache(self) -> list[KeyValueCache]:
        """An empty cache, with which to take the tokens of one batch one by one."""
        return [KeyValueCache() for _ in self.blocks]

    def forward(
        self,
        tokens: Tensor,
        prepared: Tensor | None = None,
        cache: list[KeyValueCache] | None = None,
        temperature: float = 1.0,
    ) -> Tensor:
        """Parameters of all tokens from the whole sequence; with a cache those of the next token.

        Args:
            tokens: ``batch x tokens x channels``, any batch shape; with a cache the last token alone, at first none
                (``batch x 0 x channels``).
            prepared: what :meth:`prepare` returned.
            cache: of :meth:`new_cache`; it is extended.
            temperature: of the attention, > 0.

        Returns:
            ``batch x tokens x (channels * parameters_per_element)``, those of one entry side by side; with a cache
            of one token.
        """
        first = cache[0].length if cache else 0
        self._require_tokens(tokens, first, cache is not None)
        h = self._inputs(tokens if cache is not None else tokens[..., :-1, :], prepared, first)
        batch, h = h.shape[:-2], flat_batch(h)
        for index, block in enumerate(self.blocks):
            h = block(h, True, cache[index] if cache is not None else None, temperature)
        raw = self.last(self.norm(h))
        return raw.reshape(*batch, *raw.shape[-2:])

    def _inputs(self, before: Tensor, prepared: Tensor | None, first: int) -> Tensor:
        """What the blocks see for the tokens from ``first`` on, of which each is preceded by one of ``before``."""
        h = self.embed(before)
        if not first:
            h = torch.cat([self.start.to(h.dtype).expand(*h.shape[:-2], 1, -1), h], -2)
        last = first + h.shape[-2]
        h = h + self.positions[first:last]
        if prepared is None:
            return h
        return h + (prepared if prepared.shape[-2] == 1 else prepared[..., first:last, :])

    def _require_tokens(self, tokens: Tensor, first: int, one_by_one: bool) -> None:
        expected = min(first, 1) if one_by_one else self.length
        if tokens.shape[-2] != expected or first >= self.length:
            raise ValueError(
                f"this transformer has {self.grid[0]} x {self.grid[1]} positions; after {first} tokens it takes "
                f"{expected} more, got tokens of shape {tuple(tokens.shape)}"
            )
