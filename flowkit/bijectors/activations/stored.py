"""Everything stays in memory, as autograd has it."""

from typing import Any, NamedTuple

from torch import Tensor, nn

from flowkit.bijector import InTurn
from flowkit.bijectors.activations.activations import Activations, Part, Parts, Plan

__all__ = ["Stored"]


class Stored(Activations):
    r"""Every intermediate value stays in memory, as autograd has it: :math:`O(n)` for ``n`` parts, and the fastest.

    References:
        D. E. Rumelhart, G. E. Hinton, R. J. Williams, "Learning representations by back-propagating errors", 1986.

    Examples:
        >>> import torch
        >>> from flowkit import Chain, LULinear
        >>> z, _ = Chain([LULinear(2), LULinear(2)], Stored())(torch.rand(5, 2))
        >>> z.shape
        torch.Size([5, 2])
    """

    def plan(self, parts: Parts, context: Any) -> Plan:
        """Every part with what it prepared."""
        return _PreparedParts([(part, part.prepare(context)) for part in parts])

    def plan_in_turn(self, parts: Parts, context: Any) -> Plan:
        """Every part with the context, which it prepares when it runs."""
        return _PreparedParts([(part, InTurn(context)) for part in parts])

    def call(self, module: nn.Module, x: Tensor) -> Tensor:
        """The network's result."""
        return module(x)


class _PreparedParts(NamedTuple):
    """Parts of a chain, each with what it prepared or with the context that it will prepare."""

    parts: list[tuple[Part, Any]]

    def run(self, x: Any, inverse: bool) -> tuple[Any, Tensor]:
        """One part after another."""
        total: Tensor | None = None
        for part, prepared in reversed(self.parts) if inverse else self.parts:
            x, log_det = part.run(x, prepared, inverse)
            total = log_det if total is None else total + log_det
        assert total is not None
        return x, total
