"""What those choices share that store less and compute again."""

from abc import abstractmethod
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from flowkit.bijector import Step
from flowkit.bijectors.activations.activations import Activations, Parts, Plan
from flowkit.bijectors.activations.callee import called_again
from flowkit.bijectors.activations.steps import in_segments, require_repeatable, run_steps
from flowkit.bijectors.activations.stored import Stored
from flowkit.ops.private import transforms_are_active

__all__ = ["Recomputed"]


class Recomputed(Activations):
    """Base of those that store less: where gradients are recorded, nothing is prepared before the run.

    They go by the steps that the parts consist of (``Bijector._steps``), so that a chain within a chain is no single
    step that would be stored as a whole. Without gradients, and under ``torch.func``, they do as :class:`Stored`.

    Args:
        segment: steps that are run as one, >= 1; ``None``: all steps of a chain.
    """

    def __init__(self, segment: int | None = None) -> None:
        if segment is not None and segment < 1:
            raise ValueError(f"segment is {segment}; it takes at least 1 step")
        self.segment = segment

    def plan(self, parts: Parts, context: Any) -> Plan:
        """Every part with what it prepared; where gradients are recorded, the steps, each with its context."""
        return self._steps_or(Stored().plan, parts, context)

    def plan_in_turn(self, parts: Parts, context: Any) -> Plan:
        """Every part with the context; where gradients are recorded, as :meth:`plan`."""
        return self._steps_or(Stored().plan_in_turn, parts, context)

    def _steps_or(self, stored: Callable[[Parts, Any], Plan], parts: Parts, context: Any) -> Plan:
        if not _recording():
            return stored(parts, context)
        return _UnpreparedSteps([step for part in parts for step in part._steps_as_part(context)], self)

    def run_steps(self, steps: Sequence[Step], x: Any) -> tuple[Any, Tensor]:
        """Run steps in order, a segment at a time where gradients are recorded."""
        if not _recording():
            return run_steps(steps, x)
        require_repeatable(steps)
        return in_segments(self._run_segment, steps, self.segment or len(steps), x)

    def call(self, module: nn.Module, x: Tensor) -> Tensor:
        """The network's result, found again by the backward pass."""
        return called_again([module], module, x) if _recording() else module(x)

    @abstractmethod
    def _run_segment(self, steps: Sequence[Step], x: Any) -> tuple[Any, Tensor]:
        """The steps in order, gradients being recorded."""


class _UnpreparedSteps(NamedTuple):
    """Steps that prepare their contexts when they are run, and again in the backward pass."""

    steps: list[Step]
    activations: Recomputed

    def run(self, x: Any, inverse: bool) -> tuple[Any, Tensor]:
        """One step after another."""
        steps = [step.turned() for step in reversed(self.steps)] if inverse else self.steps
        return self.activations.run_steps(steps, x)


def _recording() -> bool:
    # torch.func's transforms know neither recomputation: they are served as if all were stored.
    return torch.is_grad_enabled() and not transforms_are_active()
