"""A multilayer perceptron of angles."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from flowkit.counts import require_counts
from flowkit.nn.mlp import MLP
from flowkit.recorded import Recorded

__all__ = ["AngleMLP"]


class AngleMLP(Recorded, nn.Module):
    r"""A multilayer perceptron that sees angles by their cosines and sines: it is continuous where a circle closes.

    .. math:: y = \operatorname{MLP}(\cos \theta, \sin \theta, v, c)

    with the angles :math:`\theta` first among the inputs, and what else there is, :math:`v`, as it is. It starts by
    giving zeros.

    Args:
        angles: how many of the inputs are angles, in radians; at least 1.
        others: how many inputs come after them.
        out_features: how many numbers it gives.
        hidden: widths of the hidden layers.
        context_features: entries of the context; 0 for none.

    Raises:
        ValueError: there is no angle, or a width is under 1; a context is missing, or given where none was announced.

    Examples:
        >>> network = AngleMLP(1, 0, 4, hidden=(8,))
        >>> network(torch.rand(5, 1)).shape
        torch.Size([5, 4])
    """

    def __init__(
        self, angles: int, others: int, out_features: int, hidden: Sequence[int] = (64, 64), context_features: int = 0
    ) -> None:
        super().__init__()
        if angles < 1:
            raise ValueError(f"angles is {angles}; a network without any is an MLP")
        require_counts(0, others=others)
        self.angles = angles
        self.mlp = MLP(2 * angles + others, out_features, hidden, context_features)

    def prepare(self, context: Tensor | None) -> Tensor | None:
        """The first layer's part over the context ``batch x context_features``; ``None`` for no context."""
        return self.mlp.prepare(context)

    def forward(self, x: Tensor, prepared: Tensor | None = None) -> Tensor:
        """``batch x (angles + others)`` and what :meth:`prepare` returned to ``batch x out_features``."""
        angles, others = x[..., : self.angles], x[..., self.angles :]
        return self.mlp(torch.cat([angles.cos(), angles.sin(), others], -1), prepared)
