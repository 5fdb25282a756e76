"""What the backward pass finds stored of a chain or a network: the choice, and the plan that follows from it."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

from torch import Tensor, nn

from flowkit.bijector import Step
from flowkit.overriding import drop_outdated
from flowkit.recorded import Recorded

__all__ = ["Activations", "Part", "Parts", "Plan"]


class Part(Protocol):
    """What a chain runs: a bijector, or two of them at once.

    Its methods are those of :class:`~flowkit.Bijector` that a bijector's author writes, with what they state there.
    """

    def prepare(self, context: Any) -> Any:
        """What depends on the context alone."""

    def run(self, x: Any, prepared: Any, inverse: bool = False) -> tuple[Any, Tensor]:
        """The result and its log-determinant, given what was prepared, or the context as an ``InTurn``."""

    def _steps_as_part(self, context: Any) -> list[Step]: ...


Parts = Sequence[Part]


class Plan(Protocol):
    """What a chain decided to run, with all that was prepared for it."""

    def run(self, x: Any, inverse: bool) -> tuple[Any, Tensor]:
        """Run it.

        Args:
            x: data ``batch x event``, or latents for the inverse.
            inverse: whether the parts' inverses are run, the last part's first.

        Returns:
            The result and the sum of the log-determinants, of the batch shape.
        """


class Activations(Recorded, ABC):
    r"""A way to run a chain :math:`f = f_n \circ \dots \circ f_1`: what is left in memory for the backward pass.

    Results and gradients are the same for all of them, up to rounding; memory and time are not. Without gradients all
    do the same. Networks that are no bijectors, as an encoder's blocks, are run by :meth:`call`: a module whose
    attribute ``activations`` is one of these is found by :func:`~flowkit.use_activations` as a chain is.

    References:
        T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training Deep Nets with Sublinear Memory Cost", 2016.

    Examples:
        >>> from flowkit import Chain, LULinear, Reversible
        >>> [type(Chain([LULinear(2)], choice).activations).__name__ for choice in (None, Reversible())]
        ['Stored', 'Reversible']
    """

    def __init_subclass__(cls, **arguments: Any) -> None:
        super().__init_subclass__(**arguments)
        drop_outdated(cls, Activations, ["plan_in_turn"], ["plan"])

    @abstractmethod
    def plan(self, parts: Parts, context: Any) -> Plan:
        """Decide what a chain runs, and prepare what depends on the context alone.

        Args:
            parts: the chain's bijectors, in forward order.
            context: theirs, ``None`` for none.

        Returns:
            The plan, which serves both directions and any number of calls.
        """

    def plan_in_turn(self, parts: Parts, context: Any) -> Plan:
        """Decide what a chain runs once, in one direction: its parts may prepare the context when their turn comes.

        Args:
            parts: the chain's bijectors, in forward order.
            context: theirs, ``None`` for none.

        Returns:
            The plan; what :meth:`plan` returns unless a subclass says otherwise.
        """
        return self.plan(parts, context)

    @abstractmethod
    def call(self, module: nn.Module, x: Tensor) -> Tensor:
        """Run a network that is no bijector; where not all is stored, its input alone is, and it is run again.

        Args:
            module: of one argument.
            x: its argument, of any shape.

        Returns:
            Its result.
        """
