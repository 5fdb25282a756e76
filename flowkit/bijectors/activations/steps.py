"""Steps of a chain, run one after another."""

from collections.abc import Callable, Sequence
from types import NoneType
from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import BoundBijector, Step
from flowkit.ops.private import pytree

__all__ = ["hidden_tensors", "in_segments", "require_repeatable", "run_steps"]


def in_segments(
    run: Callable[[Sequence[Step], Any], tuple[Any, Tensor]], steps: Sequence[Step], segment: int, x: Any
) -> tuple[Any, Tensor]:
    """Run steps a few at a time.

    Args:
        run: runs a few.
        steps: in order; at least one.
        segment: how many at a time.
        x: the input of the first.

    Returns:
        The last one's result and the sum of the log-determinants.
    """
    total: Tensor | None = None
    for start in range(0, len(steps), segment):
        x, log_det = run(steps[start : start + segment], x)
        total = log_det if total is None else total + log_det
    assert total is not None
    return x, total


def run_steps(steps: Sequence[Step], x: Any) -> tuple[Any, Tensor]:
    """Prepare and run one step after another; the result, and the sum of the log-determinants, of the batch shape."""
    return in_segments(lambda steps, x: steps[0].run(x, steps[0].prepare()), steps, 1, x)


def require_repeatable(steps: Sequence[Step]) -> None:
    """Refuse layers that may not be run twice.

    Raises:
        ValueError: a step counts the batches that it sees.
    """
    for step in steps:
        for module in step.bijector.modules():
            if getattr(module, "counts_batches", False):
                raise ValueError(
                    f"{type(module).__name__} counts each batch while it is trained, and is run twice where "
                    "activations are computed again: use Stored(), ActNorm in its place, or eval()"
                )


def hidden_tensors(steps: Sequence[Step]) -> ValueError | TypeError | None:
    """Why some tensors that the steps use can not be listed, as an error to raise; ``None`` if all can."""
    if torch.compiler.is_compiling():
        # Nothing is listed then; and torch before 2.9 does not trace the questions.
        return None
    for step in steps:
        if any(isinstance(module, BoundBijector) for module in step.bijector.modules()):
            return ValueError("a part of the chain is bound to its own context: bind the chain to it instead")
        for leaf in pytree.tree_leaves(step.context):
            if not isinstance(leaf, (Tensor, NoneType, bool, int, float, str)):
                return TypeError(
                    f"the chain cannot look into a {type(leaf).__name__} of its context for tensors: "
                    "give tensors, or lists, tuples and dicts of them"
                )
    return None
