"""What a chain runs is decided once, by `prepare`, and is what its parts do by themselves."""

import weakref
from typing import Any

import pytest
import torch
from torch import Tensor

import flowkit
from flowkit import (
    ActNorm,
    Chain,
    Checkpointed,
    ContextMap,
    Inverse,
    LUConv1x1,
    LULinear,
    MultiScale,
    Reversible,
    Squeeze,
    Stored,
    initialize,
)
from flowkit.bijector import Wrapper


class Shifted(ActNorm):
    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z, log_det = super()._forward(x, prepared)
        return z + 100, log_det

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return super()._inverse(z - 100, prepared)


class Doubled(LULinear):
    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z, log_det = super()._forward(x, prepared)
        return 2 * z, log_det + self.channels * torch.tensor(2.0).log()

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x, log_det = super()._inverse(z / 2, prepared)
        return x, log_det - self.channels * torch.tensor(2.0).log()


def test_a_shared_step_is_initialised() -> None:
    inner = Chain([ActNorm(3, event_dims=1), LULinear(3)])
    x = 5 + 2 * torch.randn(64, 3)
    initialize(Chain([inner, inner]), x)
    z, _ = inner.parts[0](x)
    torch.testing.assert_close(z.mean(0), torch.zeros(3), atol=1e-6, rtol=0.0)
    torch.testing.assert_close(z.std(0, correction=0), torch.ones(3))


def test_bound_then_initialised_then_called() -> None:
    chain, x = Chain([ActNorm(3, event_dims=1), LULinear(3)]), 5 + 2 * torch.randn(64, 3)
    bound = chain.bind(None)
    initialize(chain, x)
    for one, other in zip(bound(x), chain(x), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("activations", [Stored(), Checkpointed(), Reversible()])
@pytest.mark.parametrize(
    "parts",
    [
        lambda: [Shifted(3, event_dims=1), LULinear(3)],
        lambda: [LULinear(3), Shifted(3, event_dims=1), LULinear(3)],
        lambda: [ActNorm(3, event_dims=1), Doubled(3)],
        lambda: [Doubled(3), ActNorm(3, event_dims=1)],
    ],
)
@pytest.mark.parametrize("grad", [True, False])
def test_a_derived_class_does_what_it_says(activations: Any, parts: Any, grad: bool) -> None:
    torch.manual_seed(0)
    chain, x = Chain(parts(), activations), torch.randn(7, 3, dtype=torch.float64)
    initialize(chain.double(), torch.randn(64, 3, dtype=torch.float64))
    expected, total = x, torch.zeros(7, dtype=torch.float64)
    with torch.set_grad_enabled(grad):
        for part in chain.parts:
            expected, log_det = part(expected)
            total = total + log_det
        z, log_det = chain(x)
        back, _ = chain.inverse(z)
    torch.testing.assert_close(z, expected)
    torch.testing.assert_close(log_det, total)
    torch.testing.assert_close(back, x)


@pytest.mark.parametrize("activations", [Stored(), Checkpointed(), Reversible()])
@pytest.mark.parametrize("grad", [True, False])
def test_hooks_of_parts_fire_and_may_change_the_result(activations: Any, grad: bool) -> None:
    inner = Chain([LUConv1x1(4), LUConv1x1(4)])
    flow = ContextMap(MultiScale([Chain([Squeeze(), Inverse(Inverse(inner))], activations)], []), lambda c: c)
    x, context = torch.randn(2, 1, 4, 4), torch.zeros(1)
    fired = []
    for name, module in flow.named_modules():
        if isinstance(module, flowkit.Bijector) and not isinstance(module, Inverse):
            module.register_forward_hook(lambda m, args, output, name=name: fired.append(name))
    with torch.set_grad_enabled(grad):
        (before,), _ = flow(x, context)
    leaves = {name for name, m in flow.named_modules() if isinstance(m, LUConv1x1 | Squeeze)}
    assert leaves <= set(fired)
    inner.parts[1].register_forward_hook(lambda m, args, output: (output[0] + 1, output[1]))
    with torch.set_grad_enabled(grad):
        (after,), _ = flow(x, context)
    torch.testing.assert_close(after, before + 1)


class Scaled(flowkit.Injector):
    """Counts its prepared parts that are alive, and how many were at once."""

    alive: list[int]

    def prepare(self, context: Any) -> Any:
        prepared = super().prepare(context)
        self.alive[0] += 1
        self.alive[1] = max(self.alive)
        weakref.finalize(prepared[0], self._forget)
        return prepared

    def _forget(self) -> None:
        self.alive[0] -= 1


def scaled(alive: list[int]) -> Scaled:
    part = Scaled(2, torch.nn.Linear(3, 4), event_dims=1)
    part.alive = alive
    return part


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("activations", [Stored(), Reversible()], ids=lambda one: type(one).__name__)
def test_a_single_run_holds_one_prepared_part_at_a_time(activations: Any, inverse: bool) -> None:
    alive = [0, 0]
    inner = [Chain([scaled(alive), scaled(alive)]), Inverse(scaled(alive)), ContextMap(scaled(alive), torch.exp)]
    chain, x, context = Chain([*inner, *inner], activations), torch.randn(5, 2), torch.randn(5, 3)
    with torch.no_grad():
        got = chain.inverse(x, context) if inverse else chain(x, context)
    assert alive == [0, 1]
    with torch.no_grad():
        bound = chain.bind(context)
        expected = bound.inverse(x) if inverse else bound(x)
    assert alive == [8, 8]
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other)


class WithoutContext:
    def prepare(self, context: Any) -> Any:
        return super().prepare(None)  # type: ignore[misc]


class OwnChain(WithoutContext, Chain):
    pass


class OwnInverse(WithoutContext, Inverse):
    pass


class OwnMultiScale(WithoutContext, MultiScale):
    pass


class OwnConcatenate(WithoutContext, flowkit.Concatenate):
    pass


class Asked(LULinear):
    """Refuses a context."""

    def prepare(self, context: Any) -> Any:
        assert context is None
        return super().prepare(context)


@pytest.mark.parametrize(
    "part",
    [
        OwnChain([Asked(3)]),
        OwnInverse(Asked(3)),
        OwnMultiScale([Asked(3)], []),
        OwnConcatenate([Asked(1), Asked(2)], [1, 2]),
    ],
    ids=lambda part: type(part).__name__,
)
def test_what_a_composition_prepares_otherwise_counts_in_a_single_run(part: Any) -> None:
    Chain([part])(torch.randn(2, 3), torch.randn(2, 4))


@pytest.mark.parametrize("activations", [Stored(), Checkpointed(), Reversible()], ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("grad", [True, False])
def test_what_a_composition_overrides_counts_however_activations_are_kept(activations: Any, grad: bool) -> None:
    class Encoded(Chain):
        def prepare(self, context: Any) -> Any:
            return super().prepare(context.tanh())

    class Doubling(Inverse):
        def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
            z, log_det = self.bijector._inverse(x, prepared)
            return 2 * z, log_det + 2 * torch.tensor(2.0).log()

    conditional = flowkit.Coupling(2, flowkit.MLP(1, 2, context_features=3), event_dims=1)
    torch.nn.init.normal_(conditional.conditioner.last.weight)
    x, context = torch.randn(5, 2), torch.randn(5, 3)
    within, turned = Encoded([conditional]), Doubling(LULinear(2))
    with torch.set_grad_enabled(grad):
        got, log_det = Chain([within, turned], activations)(x, context)
    first, first_log_det = conditional(x, context.tanh())
    expected, expected_log_det = turned(first, None)
    torch.testing.assert_close(got, expected)
    torch.testing.assert_close(log_det, first_log_det + expected_log_det)


@pytest.mark.parametrize("activations", [Stored(), Checkpointed(), Reversible()], ids=lambda one: type(one).__name__)
def test_hooks_of_compositions_fire_within_a_chain(activations: Any) -> None:
    parts = [Inverse(LULinear(2)), Chain([LULinear(2)]), ContextMap(LULinear(2), torch.tanh)]
    chain, x, context = Chain(parts, activations), torch.randn(5, 2), torch.randn(5, 3)
    expected = x
    for part in parts:
        expected = part(expected, context)[0] + 1
        part.register_forward_hook(lambda module, given, result: (result[0] + 1, result[1]))
    torch.testing.assert_close(chain(x, context)[0], expected)


def test_a_plan_of_ones_own_serves_a_single_run() -> None:
    class Counted(Stored):
        plans = 0

        def plan(self, parts: Any, context: Any) -> Any:
            Counted.plans += 1
            return super().plan(parts, context)

    Chain([LULinear(2)], Counted())(torch.randn(5, 2))
    assert Counted.plans == 1


def test_a_cut_of_ones_own_prepares() -> None:
    class Shifting(flowkit.FactorOut):
        def prepare(self, context: Any) -> Any:
            return context.sum()

        def _forward(self, x: Tensor, prepared: Any) -> Any:
            return super()._forward(x + prepared, None)

    def levels(cut: Any) -> MultiScale:
        return MultiScale([flowkit.bijectors.Identity(), flowkit.bijectors.Identity()], [cut])

    torch.manual_seed(0)
    network = torch.nn.Linear(1, 2)
    x, context = torch.randn(5, 2), torch.randn(1, 3)
    own, plain = (levels(kind(2, network, event_dims=1)) for kind in (Shifting, flowkit.FactorOut))
    for got in (own(x, context), own.bind(context)(x)):
        torch.testing.assert_close(got, plain(x + context.sum()))


def test_a_wrapper_prepares_what_it_wraps() -> None:
    class Within(Wrapper[Tensor, Tensor]):
        pass

    conditional = flowkit.Coupling(2, flowkit.MLP(1, 2, hidden=(3,), context_features=3), event_dims=1)
    torch.nn.init.normal_(conditional.conditioner.last.weight)
    x, context = torch.randn(5, 2), torch.randn(5, 3)
    for part in (conditional, Chain([conditional])):
        torch.testing.assert_close(Within(part)(x, context), part(x, context))
        torch.testing.assert_close(Within(part).bind(context)(x), part(x, context))


@pytest.mark.parametrize("activations", [Stored(), Checkpointed()], ids=lambda one: type(one).__name__)
@pytest.mark.parametrize("grad", [True, False])
def test_what_is_bound_is_converted(activations: Any, grad: bool) -> None:
    conditional = flowkit.Coupling(2, flowkit.MLP(1, 2, context_features=3), event_dims=1)
    torch.nn.init.normal_(conditional.conditioner.last.weight)
    chain, x, context = Chain([conditional, Inverse(LULinear(2))], activations), torch.randn(5, 2), torch.randn(5, 3)
    with torch.set_grad_enabled(grad):
        expected = chain(x, context)
        bound = chain.bind(context).double()
        got = bound(x.double())
        meta = chain.float().bind(context).to("meta")
    assert {part.dtype for part in got} == {torch.float64}
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one.float(), other)
    assert meta(x.to("meta"))[0].is_meta


def test_a_part_may_have_a_run_of_its_own() -> None:
    class Timed(flowkit.Coupling):
        runs = 0

        def run(self, x: Any, prepared: Any, inverse: bool = False) -> Any:
            Timed.runs += 1
            return self._inverse(x, prepared) if inverse else self._forward(x, prepared)

    class Counted(Chain):
        def run(self, x: Any, prepared: Any, inverse: bool = False) -> Any:
            return prepared.run(x, inverse)

    timed = Timed(2, flowkit.MLP(1, 2, context_features=3), event_dims=1)
    chain, x, context = Chain([Counted([timed])]), torch.randn(5, 2), torch.randn(5, 3)
    for got in (chain(x, context), chain.bind(context)(x)):
        torch.testing.assert_close(got, timed(x, context))
    assert Timed.runs == 2
