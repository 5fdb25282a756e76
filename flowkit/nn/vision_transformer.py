"""The vision transformer as a conditioner."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from flowkit.nn.context_linear import ContextLinear, require_features
from flowkit.nn.mlp import zero_
from flowkit.nn.tokens import context_tokens, flat_batch, image_of, require_grid, tokens_of
from flowkit.nn.transformer_block import TransformerBlock
from flowkit.recorded import Recorded

__all__ = ["VisionTransformer"]


class VisionTransformer(Recorded, nn.Module):
    r"""A transformer over the positions of an image, each of which sees all: a conditioner for couplings of images.

    .. math:: h_0 = W [x, c] + b + p, \qquad h_l = \operatorname{block}_l(h_{l-1}), \qquad
              y = V \operatorname{norm}(h_L) + d

    with a learned vector :math:`p` for each position. Its tokens are positions: squeeze images first (by
    :class:`~flowkit.Squeeze`), so that a position is a patch. The part over the context is computed once per context,
    by :meth:`prepare`, and added. The last layer starts at zero.

    Args:
        in_channels: channels of the data that it sees, >= 1.
        out_channels: channels of its output, >= 1.
        grid: height and width of the images, in positions.
        width: entries of a token, a multiple of ``heads``.
        layers: how many transformer blocks, >= 1.
        heads: of each block's attention, >= 1.
        context_channels: channels of the context, an image of that height and width, or of 1 x 1; 0 for none.

    Raises:
        ValueError: a size is too small; (when called) the image has another height or width, a context is missing, or
            given where none was announced, or of other size.

    References:
        Dosovitskiy et al., "An image is worth 16x16 words: transformers for image recognition at scale", ICLR 2021,
        sec. 3.1; in couplings: Kolesnikov, Pinto and Tschannen, "Jet: a modern transformer-based normalizing flow",
        TMLR 2025.

    Examples:
        >>> network = VisionTransformer(6, 12, (4, 4), width=16, layers=1, context_channels=3)
        >>> network(torch.rand(5, 6, 4, 4), network.prepare(torch.rand(1, 3, 4, 4))).shape
        torch.Size([5, 12, 4, 4])
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        grid: Sequence[int],
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
        context_channels: int = 0,
    ) -> None:
        super().__init__()
        require_features("the output", out_channels)
        require_features("the stack of layers", layers)
        self.grid = (grid[0], grid[1])
        self.embed = ContextLinear(in_channels, width, context_channels)
        self.positions = nn.Parameter(0.02 * torch.randn(require_grid(self, self.grid), width))
        self.blocks = nn.ModuleList(TransformerBlock(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.last = nn.Linear(width, out_channels)
        zero_(self.last)

    @property
    def context_dims(self) -> int | None:
        """Dimensions of the context of one sample; ``None`` without one."""
        return 3 if self.embed.context_features else None

    def prepare(self, context: Tensor | None) -> Tensor | None:
        """The first layer's part over the context ``batch x context_channels x H x W``; ``None`` for none."""
        return self.embed.prepare(context_tokens(context, self.grid))

    def forward(self, x: Tensor, prepared: Tensor | None = None) -> Tensor:
        """``batch x in_channels x H x W`` and what :meth:`prepare` returned to ``batch x out_channels x H x W``."""
        if tuple(x.shape[-2:]) != self.grid:
            raise ValueError(
                f"this transformer has {self.grid[0]} x {self.grid[1]} positions, got an image of shape "
                f"{tuple(x.shape)}"
            )
        h = self.embed(tokens_of(x), prepared) + self.positions
        batch, h = h.shape[:-2], flat_batch(h)
        for block in self.blocks:
            h = block(h)
        y = self.last(self.norm(h))
        return image_of(y.reshape(*batch, *y.shape[-2:]), self.grid)
