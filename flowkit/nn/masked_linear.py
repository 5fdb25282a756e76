"""A linear layer under a mask."""

import torch.nn.functional as F
from torch import Tensor

from flowkit.constants import WithConstants
from flowkit.nn.context_linear import ContextLinear

__all__ = ["MaskedLinear"]


class MaskedLinear(WithConstants, ContextLinear):
    r"""A linear layer some of whose weights count as 0: :math:`y = (W \odot M) x + b`.

    Args:
        mask: true for the weights over the data that count, ``out_features x data_features``.
        context_features: entries of the context; 0 for none.
        context_mask: true for the weights over the context that count, ``out_features x context_features``; ``None``
            for all of them.

    Examples:
        >>> import torch
        >>> layer = MaskedLinear(torch.tensor([[True, False]]))
        >>> bool(layer(torch.tensor([0.0, 1.0])) == layer(torch.tensor([0.0, 2.0])))
        True
    """

    mask: Tensor
    context_mask: Tensor

    def __init__(self, mask: Tensor, context_features: int = 0, context_mask: Tensor | None = None) -> None:
        super().__init__(mask.shape[1], mask.shape[0], context_features)
        # Of the weights' type: multiplying by booleans converts them each time.
        self.register_constant("mask", lambda: mask.to(self.weight.dtype))
        self._masks_context = context_mask is not None
        if context_mask is not None:
            self.register_constant("context_mask", lambda: context_mask.to(self.weight.dtype))

    @property
    def data_weight(self) -> Tensor:
        """``W_x`` under its mask."""
        # Not by super(), whose properties torch.compile does not trace.
        weight = self.weight[:, : self.data_features] if self.context_features else self.weight
        return weight * self.mask

    def forward(self, x: Tensor | None, prepared: Tensor | None = None, context: Tensor | None = None) -> Tensor:
        """As :class:`~flowkit.nn.ContextLinear`, of ``batch x data_features``, under the masks."""
        if context is not None and self._masks_context:
            return F.linear(context, self.weight[:, self.data_features :] * self.context_mask)
        return super().forward(x, prepared, context)
