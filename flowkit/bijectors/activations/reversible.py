"""Chains that store no activations: the backward pass recomputes them by inverting."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import Step
from flowkit.bijectors.activations.callee import Callee
from flowkit.bijectors.activations.recompute import vector_jacobian_products
from flowkit.bijectors.activations.recomputed import Recomputed
from flowkit.bijectors.activations.replay import Autocast, Draws, RandomState, forked_random_state
from flowkit.bijectors.activations.steps import hidden_tensors
from flowkit.ops.private import pytree

__all__ = ["Reversible"]


class Reversible(Recomputed):
    r"""Only the result stays in memory: the backward pass finds each step's input by inverting the step.

    From :math:`x_n = z` on, for :math:`i = n, \dots, 1`,

    .. math:: x_{i-1} = f_i^{-1}(x_i \mid c), \qquad
              \bar x_{i-1} = \bar x_i \frac{\partial f_i}{\partial x_{i-1}}
                             + \bar \ell\, \frac{\partial}{\partial x_{i-1}} \log\left|\det
                               \frac{\partial f_i}{\partial x_{i-1}}\right|,

    with the gradients :math:`\bar x` and :math:`\bar \ell` by the result and by the log-determinant; those by
    parameters and context are summed on the way. The memory is :math:`O(1)` in the number of steps: the result,
    ``batch x event``, the context, and while the backward pass is at a step, what that one stores. A training step
    takes about an inverse and a forward pass more; what depends on a step's context is prepared once more, for both. A
    step is a single bijection, those of a chain within the chain counted one by one; the functions of
    :class:`~flowkit.ContextMap` belong to no step, and are stored unless they have ``activations`` of their own: no
    inverse being known, their input is stored, and they are run again.

    The gradients of all of a chain's parameters are there at once, beside those that they are then added to. Where a
    model has more weights than activations, segments spare that: of every ``k`` steps the result is stored, and their
    gradients are handed on before the steps before them are looked at.

    **Accuracy.** The inputs that are found are off by the rounding of the inverses, which adds up from the last step to
    the first, the more the steps expand: by what ``inverse(forward(x))`` is off, and the gradients with them. Over 48
    steps of a Glow, new or trained for a while, they agree with ordinary ones to 1e-14 in float64, and in float32 they
    are as near to the exact ones as ordinary ones are, 1e-5. Where inverses are approximate (an ODE's solver), so are
    the gradients; where they are slow (an autoregressive one's), :class:`~flowkit.Checkpointed` is faster.

    Random numbers, autocast and parameters swapped by ``torch.func.functional_call`` are what they were; a step that
    draws some has to draw the same for its inverse, in the same order. Bound while gradients are recorded, a chain
    holds the context, and prepares at each call what depends on it. Until the backward pass, parameters must not
    change. The gradients cannot be differentiated again. Where gradients are recorded, ``torch.compile`` leaves its
    graph here: with ``fullgraph=True`` it refuses.

    Args:
        segment: ``k``, >= 1; ``None``: all steps of a chain.

    Raises:
        TypeError: a leaf of the context, as torch flattens it, is neither a tensor nor a plain value: its
            tensors would get no gradient.
        ValueError: a part was bound by itself, whose context would get no gradient: bind the chain; ``segment`` is
            under 1.
        RuntimeError: a backward pass with ``create_graph=True``, or after a parameter has changed in place.

    References:
        A. N. Gomez, M. Ren, R. Urtasun, R. B. Grosse, "The Reversible Residual Network: Backpropagation Without
        Storing Activations", NeurIPS 2017, sec. 3.

    Examples:
        >>> from flowkit import Chain, LULinear
        >>> x = torch.rand(5, 2)
        >>> chain = Chain([LULinear(2) for _ in range(4)], Reversible())
        >>> z, log_det = chain(x)
        >>> (z.square().sum() - log_det.sum()).backward()
        >>> chain.parts[0].log_scale.grad.shape
        torch.Size([2])
    """

    def _run_segment(self, steps: Sequence[Step], x: Any) -> tuple[Any, Tensor]:
        if (hidden := hidden_tensors(steps)) is not None:
            raise hidden
        given = _Given()
        leaves, spec = pytree.tree_flatten(x)
        call = _Call([_planned(step, given) for step in steps], spec)
        *result, log_det = _Reversible.apply(call, *leaves, *given.tensors)
        return pytree.tree_unflatten(result, call.result_spec), log_det


class _Given:
    """All tensors that the steps use, each once."""

    def __init__(self) -> None:
        self.tensors: list[Tensor] = []
        self._numbers: dict[int, int] = {}

    def number(self, tensor: Tensor) -> int:
        if id(tensor) not in self._numbers:
            self._numbers[id(tensor)] = len(self.tensors)
            self.tensors.append(tensor)
        return self._numbers[id(tensor)]


@dataclass(frozen=True)
class _Number:
    """Stands for one of the tensors given."""

    value: int


@dataclass(frozen=True)
class _Planned:
    """A step whose tensors are numbers, so that others may take their place."""

    step: Step
    leaves: list[Any]
    spec: pytree.TreeSpec
    parameters: dict[str, int]
    buffers: dict[str, Tensor]

    @property
    def numbers(self) -> list[int]:
        """Those of all its tensors."""
        of_context = (leaf.value for leaf in self.leaves if isinstance(leaf, _Number))
        return sorted({*of_context, *self.parameters.values()})

    def filled(self, tensors: Sequence[Tensor]) -> Step:
        """The step with its context."""
        leaves = [tensors[leaf.value] if isinstance(leaf, _Number) else leaf for leaf in self.leaves]
        return self.step.with_context(pytree.tree_unflatten(leaves, self.spec))

    def run(self, x: Any, tensors: Sequence[Tensor]) -> tuple[Any, Tensor]:
        """The step, by the parameters that the bijector has now."""
        step = self.filled(tensors)
        return step.run(x, step.prepare())

    def run_back(
        self, y: Any, tensors: Sequence[Tensor], draws: Draws | None, differentiable: bool
    ) -> tuple[Any, list[Tensor]]:
        """The step's input, found by inverting; and the leaves of what it makes of that again, with their graph."""
        step = self.filled(tensors)

        def run() -> tuple[Any, list[Tensor]]:
            if draws is not None:
                draws.state.restore()
            with torch.enable_grad():
                prepared = step.prepare()
            state = RandomState.now(y)
            with torch.no_grad():
                x, _ = step.turned().run(y if draws is None else draws.laid_out(y), prepared)
                x = x if draws is None else draws.laid_out(x)
            x = pytree.tree_map(lambda leaf: leaf.detach().requires_grad_(differentiable), x)
            state.restore()
            with torch.enable_grad():
                again, log_det = step.run(x, prepared)
            return x, [*pytree.tree_leaves(again), log_det]

        swapped = {name: tensors[number] for name, number in self.parameters.items()}
        return Callee([step.bijector]).call(run, {**swapped, **self.buffers})


def _planned(step: Step, given: _Given) -> _Planned:
    leaves, spec = pytree.tree_flatten(step.context)
    parameters, buffers = Callee([step.bijector]).tensors()
    return _Planned(
        step.with_context(None),
        [_Number(given.number(leaf)) if isinstance(leaf, Tensor) else leaf for leaf in leaves],
        spec,
        {name: given.number(parameter) for name, parameter in parameters.items()},
        # Not among the tensors that are not to change: the call itself may change them.
        buffers,
    )


class _Call:
    """A run through planned steps, and what it is to be repeated with.

    Args:
        steps: in order.
        spec: the structure of the input.
    """

    def __init__(self, steps: Sequence[_Planned], spec: pytree.TreeSpec) -> None:
        self.steps = steps
        self.spec = spec
        self.result_spec = spec
        # Of each step that draws random numbers.
        self.draws: list[Draws | None] = []
        self.autocast = Autocast([])

    def run(self, x: Any, given: Sequence[Tensor]) -> tuple[Any, Tensor]:
        """All steps, without gradients."""
        total: Tensor | None = None
        state = RandomState.now(x)
        for step in self.steps:
            before, x_before = state, x
            x, log_det = step.run(x, given)
            total = log_det if total is None else total + log_det
            state = RandomState.now(x)
            self.draws.append(None if state == before else Draws.of(before, x_before))
        assert total is not None
        return x, total


class _Reversible(torch.autograd.Function):
    """A call as one operation of autograd's."""

    @staticmethod
    def forward(ctx: Any, call: _Call, *tensors: Tensor) -> tuple[Tensor, ...]:
        count = call.spec.num_leaves
        x, given = pytree.tree_unflatten(tensors[:count], call.spec), tensors[count:]
        call.autocast = Autocast.now(tensors[0])
        with call.autocast.again():
            result, log_det = call.run(x, given)
        leaves, call.result_spec = pytree.tree_flatten(result)
        ctx.call = call
        ctx.save_for_backward(*leaves, *given)
        return *leaves, log_det

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor | None, ...]:
        if torch.is_grad_enabled():
            raise RuntimeError(
                "the gradients of a Reversible chain cannot be differentiated again, as create_graph=True asks for: "
                "take Checkpointed, or Stored"
            )
        call: _Call = ctx.call
        count, results = call.spec.num_leaves, call.result_spec.num_leaves
        of_input, wanted = any(ctx.needs_input_grad[1 : 1 + count]), ctx.needs_input_grad[1 + count :]
        value = pytree.tree_unflatten(ctx.saved_tensors[:results], call.result_spec)
        # Other leaves than the caller's: hooks on those are for the sum of a gradient, not for each of its terms.
        given = [t.detach().requires_grad_(w) for t, w in zip(ctx.saved_tensors[results:], wanted, strict=True)]
        found: list[Tensor | None] = [None] * len(given)
        *of_value, of_log_det = gradients
        with forked_random_state(value), call.autocast.again():
            for i, (step, draws) in reversed(list(enumerate(zip(call.steps, call.draws, strict=True)))):
                value, outputs = step.run_back(value, given, draws, differentiable=i > 0 or of_input)
                leaves, numbers = pytree.tree_leaves(value), [n for n in step.numbers if wanted[n]]
                inputs = [*leaves, *(given[n] for n in numbers)]
                slopes = vector_jacobian_products(outputs, inputs, [*of_value, of_log_det])
                of_value = [torch.zeros_like(x) if g is None else g for x, g in zip(leaves, slopes, strict=False)]
                for n, slope in zip(numbers, slopes[len(leaves) :], strict=True):
                    found[n] = _sum(found[n], slope)
        return None, *of_value, *found


def _sum(total: Tensor | None, term: Tensor | None) -> Tensor | None:
    if total is None or term is None:
        return term if total is None else total
    return total + term
