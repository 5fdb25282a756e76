"""Parameters of a layer's own, moved by the context."""

from typing import Any

import torch
from torch import Tensor, nn

from flowkit.half_precision import cast_for
from flowkit.recorded import Recorded

__all__ = ["ContextParameters"]


class ContextParameters(Recorded, nn.Module):
    r"""Numbers of a layer's own, plus what a network makes of the context: :math:`\theta(c) = \theta_0 + g(c)`.

    With a network that starts at zero, as conditioners do, the layer starts where :math:`\theta_0` does, which need
    not be 0.

    Args:
        start: where :math:`\theta_0` starts, a vector; it is learnt.
        conditioner: a module from the context to ``batch x len(start)``; ``None`` for no context.

    Raises:
        ValueError: there is a conditioner and no context, or the conditioner gives another number of parameters.

    References:
        Rezende and Mohamed, *Variational inference with normalizing flows*, ICML 2015, where a network of the
        observation gives the parameters of planar and radial flows.

    Examples:
        >>> ContextParameters(torch.zeros(2), nn.Linear(3, 2))(torch.rand(5, 3)).shape
        torch.Size([5, 2])
    """

    def __init__(self, start: Tensor, conditioner: nn.Module | None = None) -> None:
        super().__init__()
        self.own = nn.Parameter(start)
        self.conditioner = conditioner

    def forward(self, context: Any) -> Tensor:
        """The parameters, in float32 at least: ``batch x len(start)``, without batch where there is no conditioner."""
        own = self.own.to(torch.promote_types(self.own.dtype, torch.float32))
        if self.conditioner is None:
            return own
        if context is None:
            raise ValueError("this layer is conditional: pass context=, or bind(context) first")
        moved = self.conditioner(cast_for(self.conditioner, context))
        if moved.shape[-1] != len(own):
            raise ValueError(f"the conditioner gave {moved.shape[-1]} parameters, {len(own)} are needed")
        return own + moved
