"""What the backward pass finds stored of a chain or a network: all, or what it recomputes the rest from."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from functools import partial
from types import NoneType
from typing import Any, Protocol, TypeVar

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from flowkit.bijector import BoundBijector, Step
from flowkit.bijectors.activations.recompute import recompute
from flowkit.ops.private import pytree, transforms_are_active

__all__ = [
    "Activations",
    "Callee",
    "Checkpointed",
    "Part",
    "Plan",
    "Recomputed",
    "Stored",
    "hidden_tensors",
    "in_segments",
    "run_steps",
]

T = TypeVar("T")


class Part(Protocol):
    """What a chain runs: a bijector, or two of them at once.

    Its methods are those of :class:`~flowkit.Bijector` that a bijector's author writes, with what they state there.
    """

    def prepare(self, context: Any) -> Any:
        """What depends on the context alone."""

    def run(self, x: Any, prepared: Any, inverse: bool = False) -> tuple[Any, Tensor]:
        """The result and its log-determinant, given what was prepared."""

    def _steps(self, context: Any) -> list[Step]: ...


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


class Activations(ABC):
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

    @abstractmethod
    def plan(self, parts: Parts, context: Any) -> Plan:
        """Decide what a chain runs, and prepare what depends on the context alone.

        Args:
            parts: the chain's bijectors, in forward order.
            context: theirs, ``None`` for none.

        Returns:
            The plan, which serves both directions and any number of calls.
        """

    @abstractmethod
    def call(self, module: nn.Module, x: Tensor) -> Tensor:
        """Run a network that is no bijector; where not all is stored, its input alone is, and it is run again.

        Args:
            module: of one argument.
            x: its argument, of any shape.

        Returns:
            Its result.
        """


class Stored(Activations):
    r"""Every intermediate value stays in memory, as autograd has it: :math:`O(n)` for ``n`` parts, and the fastest.

    References:
        D. E. Rumelhart, G. E. Hinton, R. J. Williams, "Learning representations by back-propagating errors", 1986.

    Examples:
        >>> from flowkit import Chain, LULinear
        >>> z, _ = Chain([LULinear(2), LULinear(2)], Stored())(torch.rand(5, 2))
        >>> z.shape
        torch.Size([5, 2])
    """

    def plan(self, parts: Parts, context: Any) -> Plan:
        """Every part with what it prepared."""
        return _PreparedParts([(part, part.prepare(context)) for part in parts])

    def call(self, module: nn.Module, x: Tensor) -> Tensor:
        """The network's result."""
        return module(x)


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
        if not _recording():
            return Stored().plan(parts, context)
        return _UnpreparedSteps([step for part in parts for step in part._steps(context)], self)

    def run_steps(self, steps: Sequence[Step], x: Any) -> tuple[Any, Tensor]:
        """Run steps in order, a segment at a time where gradients are recorded."""
        if not _recording():
            return run_steps(steps, x)
        return in_segments(self._run_segment, steps, self.segment or len(steps), x)

    def call(self, module: nn.Module, x: Tensor) -> Tensor:
        """The network's result, found again by the backward pass."""
        return _run_again([module], module, x) if _recording() else module(x)

    @abstractmethod
    def _run_segment(self, steps: Sequence[Step], x: Any) -> tuple[Any, Tensor]:
        """The steps in order, gradients being recorded."""


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
        return _run_again(bijectors, run, x, contexts, listed=hidden_tensors(steps) is None)


class Callee(nn.Module):
    """Modules whose tensors can be swapped for the call of a function.

    The backward pass runs with the tensors of the forward pass, whatever the modules have by then: others, where the
    forward pass was within a ``torch.func.functional_call``.

    Args:
        called: whose tensors the function uses.

    Examples:
        >>> from flowkit import ActNorm
        >>> norm = ActNorm(2)
        >>> Callee([norm]).call(lambda: norm.bias, {"called.0.bias": torch.ones(2)})
        tensor([1., 1.])
    """

    def __init__(self, called: Sequence[nn.Module]) -> None:
        super().__init__()
        self.called = nn.ModuleList(called)

    def tensors(self) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Parameters and buffers by name: each module once; a tensor that several modules share, for each of them."""
        parameters: dict[str, Tensor] = {}
        buffers: dict[str, Tensor] = {}
        for prefix, module in self.named_modules():
            parameters.update(module.named_parameters(prefix, recurse=False, remove_duplicate=False))
            buffers.update(module.named_buffers(prefix, recurse=False, remove_duplicate=False))
        return parameters, buffers

    def call(self, function: Callable[[], T], tensors: dict[str, Tensor]) -> T:
        """The function's result, while the modules have these tensors."""
        result: T = torch.func.functional_call(self, tensors, (function,), tie_weights=False)
        return result

    def forward(self, function: Callable[[], T]) -> T:
        """The function's result."""
        return function()


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


class _PreparedParts:
    """Parts of a chain with what each prepared."""

    def __init__(self, parts: Sequence[tuple[Part, Any]]) -> None:
        self.parts = parts

    def run(self, x: Any, inverse: bool) -> tuple[Any, Tensor]:
        """One part after another."""
        total: Tensor | None = None
        for part, prepared in reversed(self.parts) if inverse else self.parts:
            x, log_det = part.run(x, prepared, inverse)
            total = log_det if total is None else total + log_det
        assert total is not None
        return x, total


class _UnpreparedSteps:
    """Steps that prepare their contexts when they are run, and again in the backward pass."""

    def __init__(self, steps: Sequence[Step], activations: Recomputed) -> None:
        self.steps = steps
        self.activations = activations

    def run(self, x: Any, inverse: bool) -> tuple[Any, Tensor]:
        """One step after another."""
        steps = [step.turned() for step in reversed(self.steps)] if inverse else self.steps
        return self.activations.run_steps(steps, x)


def _recording() -> bool:
    # torch.func's transforms know neither recomputation: they are served as if all were stored.
    return torch.is_grad_enabled() and not transforms_are_active()


def _run_with_contexts(steps: Sequence[Step], x: Any, contexts: Sequence[Any]) -> tuple[Any, Tensor]:
    return run_steps([step.with_context(context) for step, context in zip(steps, contexts, strict=True)], x)


def _take_derivatives(called: Sequence[nn.Module]) -> bool:
    # By what it has: a compiled bijector is no Bijector.
    return any(getattr(part, "takes_derivatives", False) for module in called for part in module.modules())


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


def _run_again(called: Sequence[nn.Module], function: Callable[..., Any], *arguments: Any, listed: bool = True) -> Any:
    """The result of a function that calls these modules; its arguments are stored, and the backward pass runs it again.

    Args:
        called: the modules, with the tensors that they have now.
        function: of the arguments.
        arguments: tensors in any structure.
        listed: whether the function uses no tensors but the arguments' and the modules'.
    """
    if torch.compiler.is_compiling():
        # Compiled, the tensors are the graph's inputs: none can be swapped by the backward pass.
        if _take_derivatives(called):
            return function(*arguments)
        return checkpoint(function, *arguments, use_reentrant=False)
    callee = Callee(called)
    parameters, buffers = callee.tensors()

    def run(arguments: tuple[Any, ...], parameters: dict[str, Tensor]) -> Any:
        # Buffers are not among what must not change: the call itself may change them.
        return callee.call(lambda: function(*arguments), {**parameters, **buffers})

    if listed:
        return recompute(run, arguments, parameters)
    return checkpoint(run, arguments, parameters, use_reentrant=False)
