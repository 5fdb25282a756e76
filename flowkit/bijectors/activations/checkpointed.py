"""Segments of a chain that the backward pass runs again."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from torch import Tensor

from flowkit.bijector import Step
from flowkit.bijectors.activations.callee import called_again
from flowkit.bijectors.activations.recomputed import Recomputed
from flowkit.bijectors.activations.steps import hidden_tensors, run_steps

__all__ = ["Checkpointed"]


class Checkpointed(Recomputed):
    r"""The values between segments stay in memory; the backward pass runs each segment again, once.

    For ``n`` steps in segments of ``k``, :math:`n / k` values and what ``k`` steps store are in memory at a time, least
    near :math:`k = \sqrt n`; a training step takes about one forward pass more. A step is a single bijection, those of
    a chain within the chain counted one by one; the functions of :class:`~flowkit.ContextMap` belong to no step, and
    are stored unless they have ``activations`` of their own. Any bijection will do, however expensive or inaccurate its
    inverse. The gradients can be differentiated again.

    Random numbers, autocast and parameters swapped by ``torch.func.functional_call`` are what they were. Bound while
    gradients are recorded, a chain holds the context, and prepares at each call what depends on it. Until the backward
    pass, parameters must not change.

    Where a context is an object of a class that torch does not flatten, or a part was bound by itself, its tensors can
    only be found by hooks (``torch.utils.checkpoint``). Bijectors that take derivatives by ``torch.func``,
    :class:`~flowkit.Residual` and :class:`~flowkit.NeuralODE`, refuse those: give tensors, or lists, tuples and dicts
    of them, and bind the chain in place of the part. In code that ``torch.compile`` compiles, those two are stored.

    Args:
        segment: ``k``, the steps that are run again together, at least 1.

    Raises:
        ValueError: a segment of no step.
        RuntimeError: a backward pass after a parameter or the context has changed in place.

    References:
        T. Chen, B. Xu, C. Zhang, C. Guestrin, "Training Deep Nets with Sublinear Memory Cost", 2016, sec. 3.

    Examples:
        >>> import torch
        >>> from flowkit import Chain, LULinear
        >>> x = torch.rand(5, 2)
        >>> chain = Chain([LULinear(2) for _ in range(4)], Checkpointed(segment=2))
        >>> z, log_det = chain(x)
        >>> (z.square().sum() - log_det.sum()).backward()
        >>> chain.parts[0].log_scale.grad.shape
        torch.Size([2])
    """

    def __init__(self, segment: int = 1) -> None:
        super().__init__(segment)

    def _run_segment(self, steps: Sequence[Step], x: Any) -> tuple[Any, Tensor]:
        bijectors = [step.bijector for step in steps]
        contexts = [step.context for step in steps]
        run = partial(_run_with_contexts, [step.with_context(None) for step in steps])
        return called_again(bijectors, run, x, contexts, listed=hidden_tensors(steps) is None)


def _run_with_contexts(steps: Sequence[Step], x: Any, contexts: Sequence[Any]) -> tuple[Any, Tensor]:
    return run_steps([step.with_context(context) for step, context in zip(steps, contexts, strict=True)], x)
