"""A residual network over vectors as a conditioner."""

import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.nn.context_linear import ContextLinear, require_features
from flowkit.nn.mlp import zero_
from flowkit.recorded import Recorded

__all__ = ["ResidualMLP"]


class ResidualMLP(Recorded, nn.Module):
    r"""A residual network for vectors, conditional or not, of pre-activation blocks.

    .. math:: h_0 = W [x, c] + b, \qquad h_{i+1} = h_i + W''_i\,\sigma(W'_i\,\sigma(h_i) + b'_i) + b''_i,
              \qquad y = V \sigma(h_n) + d,

    :math:`\sigma` the rectifier. The first layer's part over the context is computed apart, once per context, by
    :meth:`prepare`, and added. The last layer starts at zero.

    Args:
        in_features: entries of the data that it sees, at least 1.
        out_features: entries of its output, at least 1.
        hidden: width, at least 1.
        blocks: how many residual blocks, of two layers each; at least 0.
        context_features: entries of the context; 0 for none.

    Raises:
        ValueError: a width is less than 1, or ``blocks`` negative; a context is missing, or given where none was
            announced, or of another width.

    References:
        He et al., *Identity mappings in deep residual networks*, ECCV 2016, sec. 4; as a conditioner: Durkan et al.,
        *Neural spline flows*, NeurIPS 2019, app. B.1.

    Examples:
        >>> import torch
        >>> network = ResidualMLP(2, 6, hidden=16, context_features=3)
        >>> network(torch.rand(5, 2), network.prepare(torch.rand(1, 3))).shape
        torch.Size([5, 6])
    """

    def __init__(
        self, in_features: int, out_features: int, hidden: int = 64, blocks: int = 2, context_features: int = 0
    ) -> None:
        super().__init__()
        require_features("the output", out_features)
        if blocks < 0:
            raise ValueError(f"blocks is {blocks}; a residual network has 0 or more")
        self.first = ContextLinear(in_features, hidden, context_features)
        self.blocks = nn.ModuleList(_Block(hidden) for _ in range(blocks))
        self.last = nn.Linear(hidden, out_features)
        zero_(self.last)

    def prepare(self, context: Tensor | None) -> Tensor | None:
        """The first layer's part over the context ``batch x context_features``; ``None`` for no context."""
        return self.first.prepare(context)

    def forward(self, x: Tensor, prepared: Tensor | None = None) -> Tensor:
        """``batch x in_features`` and what :meth:`prepare` returned to ``batch x out_features``, any batch shape."""
        h = self.first(x, prepared)
        for block in self.blocks:
            h = block(h)
        return self.last(F.relu(h))


class _Block(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.inner = nn.Linear(width, width)
        self.outer = nn.Linear(width, width)

    def forward(self, h: Tensor) -> Tensor:
        return h + self.outer(F.relu(self.inner(F.relu(h))))
