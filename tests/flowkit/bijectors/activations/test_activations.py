"""What a chain stores for the backward pass is a matter of memory and time: results and gradients stay."""

import copy
import operator
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.utils import _pytree as pytree

from flowkit import (
    ActNorm,
    Affine,
    Bijector,
    Chain,
    Checkpointed,
    ContextMap,
    ConvConditioner,
    Coupling,
    FactorOut,
    Injector,
    Inverse,
    Linear,
    LUConv1x1,
    LULinear,
    MultiScale,
    NeuralODE,
    Permutation,
    RationalQuadraticSpline,
    Residual,
    Reversal,
    Reversible,
    Squeeze,
    Stored,
    ZeroConv2d,
    initialize,
    use_activations,
)
from flowkit.bijectors import Activations, HutchinsonTrace, RungeKutta4, RussianRouletteLogDet, Wrapper
from flowkit.nn import MixedResolution, TimeMLP
from flowkit.nn.lipschitz import LipschitzMLP
from flowkit.nn.mlp import MLP
from flowkit.testing.subject import perturb
from flowkit.transforms import BoundedLogScale

Gradients = dict[str, Tensor]

HIDDEN = 8
CONTEXT = 3
# Of 1e-16 per operation, a few hundred operations and inverses that amplify; asked for are 1e-5.
EXACT = 1e-10

RECOMPUTED: dict[str, Activations] = {
    "Checkpointed": Checkpointed(),
    "Checkpointed by 3": Checkpointed(segment=3),
    "Reversible": Reversible(),
    "Reversible in segments": Reversible(segment=3),
}
recomputed = pytest.mark.parametrize("activations", RECOMPUTED.values(), ids=RECOMPUTED)
directions = pytest.mark.parametrize("direction", ["forward", "inverse"])


def glow_step(channels: int, context: int = CONTEXT) -> Chain:
    kept = channels // 2
    scale = Affine(BoundedLogScale(1.5))
    coupling = Coupling(channels, ConvConditioner(kept, 2 * (channels - kept), HIDDEN, context), scale)
    inner = [Injector(channels, ConvConditioner(context, 2 * channels, HIDDEN), scale)] if context else []
    return Chain([ActNorm(channels), LUConv1x1(channels), Inverse(Chain([*inner, coupling]))])


def level(channels: int, steps: int, context: int = CONTEXT) -> Chain:
    """A chain of chains of chains."""
    return Chain([Squeeze(), *(glow_step(4 * channels, context) for _ in range(steps))])


class Encoder(nn.Module):
    """Features of an image at two resolutions, two of them at the coarse one alone."""

    def __init__(self) -> None:
        super().__init__()
        self.fine = nn.Conv2d(CONTEXT, 1, 3, padding=1)
        self.coarse = nn.Conv2d(CONTEXT, 2, 3, padding=1)

    def forward(self, image: Tensor) -> list[MixedResolution]:
        coarse = self.coarse(nn.functional.avg_pool2d(image, 2))
        half = nn.functional.avg_pool2d(image, 2)
        return [
            MixedResolution(self.fine(image), coarse),
            MixedResolution(self.fine(half), nn.functional.avg_pool2d(coarse, 2)),
        ]


class Hidden(Wrapper[Any, Any]):
    """A composition that does not say what it consists of."""

    def prepare(self, context: Any) -> Any:
        return self.bijector.prepare(context)


class ColumnsFirst(Bijector[Tensor, Tensor]):
    """Changes nothing but the order in memory, in which random numbers are drawn; and not alike in both directions."""

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return x.mT.contiguous().mT, x.new_zeros(x.shape[:-1])

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return z.contiguous(), z.new_zeros(z.shape[:-1])


def vectors() -> Chain:
    spline = RationalQuadraticSpline(bins=4)
    parts: list[Any] = []
    for _ in range(3):
        parts += [LULinear(4), Coupling(4, MLP(2, 22, (HIDDEN,)), spline, event_dims=1), Reversal(4)]
    return Chain(parts)


def multi_scale() -> ContextMap:
    levels = [ContextMap(Chain([level(1, 2)]), operator.itemgetter(0)), ContextMap(level(2, 2), operator.itemgetter(1))]
    return ContextMap(MultiScale(levels, [FactorOut(4, ZeroConv2d(2, 4))]), Encoder())


def whole_multi_scale() -> Chain:
    """A chain whose results are tuples of tensors."""
    cut = FactorOut(8, ZeroConv2d(4, 8))
    return Chain([glow_step(2, 0), MultiScale([level(2, 1, 0), level(4, 1, 0)], [cut])])


def image(*shape: int) -> Tensor:
    return torch.randn(shape, dtype=torch.float64)


# A bijector, the data's shape and the context's.
CASES: dict[str, tuple[Callable[[], Any], tuple[int, ...], tuple[int, ...] | None]] = {
    "vectors": (vectors, (5, 4), None),
    "no parameters": (lambda: Chain([Reversal(4), Permutation([2, 0, 3, 1])]), (5, 4), None),
    "unconditional": (lambda: level(1, 2, context=0), (2, 1, 6, 4), None),
    "conditional": (lambda: level(1, 3), (3, 1, 6, 4), (3, CONTEXT, 3, 2)),
    "context of one": (lambda: level(1, 3), (3, 1, 6, 4), (1, CONTEXT, 3, 2)),
    "hidden": (lambda: Chain([Hidden(level(1, 2)), Hidden(glow_step(4))]), (2, 1, 6, 4), (2, CONTEXT, 3, 2)),
    "within multi-scale": (multi_scale, (2, 1, 8, 8), (2, CONTEXT, 4, 4)),
    "around multi-scale": (whole_multi_scale, (2, 2, 4, 4), None),
}
# The encoder's maps are of the levels' resolutions.
cases = pytest.mark.parametrize("name", CASES)


def made(name: str) -> tuple[Any, Any, Tensor | None]:
    """A bijector in float64, away from its start, its data and its context."""
    make, shape, of_context = CASES[name]
    torch.manual_seed(0)
    bijector = make().double()
    x, context = image(*shape), None if of_context is None else image(*of_context)
    initialize(bijector, x, context)
    perturb(bijector, 0.05)
    return bijector, x, context


def loss(bijector: Any, value: Any, context: Any, direction: str) -> Tensor:
    """A function of all that comes out."""
    result, log_det = bijector(value, context) if direction == "forward" else bijector.inverse(value, context)
    outputs = [*pytree.tree_leaves(result), log_det]
    generator = torch.Generator().manual_seed(0)
    weights = [torch.randn(y.shape, generator=generator).to(y) for y in outputs]
    return torch.stack([(w * (y + y.square())).sum() for w, y in zip(weights, outputs, strict=True)]).sum()


def gradients(bijector: Any, x: Any, context: Any, direction: str = "forward") -> Gradients:
    """Those of the loss by data, context and parameters."""
    leaves, spec = pytree.tree_flatten((x, context))
    leaves = [leaf.detach().clone().requires_grad_() if isinstance(leaf, Tensor) else leaf for leaf in leaves]
    asked = {f"input {i}": leaf for i, leaf in enumerate(leaves) if isinstance(leaf, Tensor)}
    asked |= {name: parameter for name, parameter in bijector.named_parameters() if parameter.requires_grad}
    of = loss(bijector, *pytree.tree_unflatten(leaves, spec), direction)
    return dict(zip(asked, torch.autograd.grad(of, list(asked.values())), strict=True))


def furthest(got: Gradients, expected: Gradients) -> float:
    """The largest relative error of one tensor's gradient."""
    assert got.keys() == expected.keys()
    # nan, as of a gradient that is zero, is under no bound.
    return float(torch.stack([(got[name] - g).norm() / g.norm() for name, g in expected.items()]).max())


def both(bijector: Any, activations: Activations, *arguments: Any) -> tuple[Gradients, Gradients]:
    """The gradients with those activations, and ordinary ones."""
    use_activations(bijector, Stored())
    expected = gradients(bijector, *arguments)
    use_activations(bijector, activations)
    return gradients(bijector, *arguments), expected


def data_of(bijector: Any, x: Tensor, context: Any, direction: str) -> Any:
    """Data, or for the inverse latents that are not theirs."""
    if direction == "forward":
        return x
    with torch.no_grad():
        return pytree.tree_map(lambda z: z + 0.1 * torch.randn_like(z), bijector(x, context)[0])


@cases
@recomputed
@directions
def test_gradients_are_the_ordinary_ones(name: str, activations: Activations, direction: str) -> None:
    bijector, x, context = made(name)
    got, expected = both(bijector, activations, data_of(bijector, x, context, direction), context, direction)
    assert furthest(got, expected) < EXACT


@cases
@recomputed
@directions
def test_results_are_the_same(name: str, activations: Activations, direction: str) -> None:
    bijector, x, context = made(name)
    value = data_of(bijector, x, context, direction)
    expected = getattr(bijector, direction)(value, context)
    use_activations(bijector, activations)
    for enabled in (True, False):
        with torch.set_grad_enabled(enabled):
            got = getattr(bijector, direction)(value, context)
        # Without gradients a layer may go another way about it.
        assert pytree.tree_all(lambda pair: pair < 1e-12, pytree.tree_map(torch.dist, tuple(got), tuple(expected)))


@recomputed
def test_contexts_of_any_structure_get_their_gradients(activations: Activations) -> None:
    torch.manual_seed(0)
    steps = [ContextMap(glow_step(4), operator.itemgetter(key)) for key in ("a", "b", "a")]
    chain = Chain(steps).double()
    context = {"a": MixedResolution(image(2, 1, 4, 4), image(2, 2, 2, 2)), "b": image(2, 3, 4, 4), "unused": 3}
    x = image(2, 4, 4, 4)
    initialize(chain, x, context)
    perturb(chain, 0.05)
    got, expected = both(chain, activations, x, context)
    assert furthest(got, expected) < EXACT
    assert len([name for name in got if name.startswith("input")]) == 4


@recomputed
def test_a_bound_chain_gives_gradients_to_all_that_it_was_bound_with(activations: Activations) -> None:
    bijector, x, context = made("within multi-scale")
    asked = [context.requires_grad_(), *bijector.parameters()]

    def there_and_back() -> tuple[Tensor, ...]:
        bound = bijector.bind(context)
        z, log_det = bound(x)
        back, _ = bound.inverse(tuple(1.1 * part for part in z))
        return torch.autograd.grad(back.square().sum() + z[0].square().sum() - log_det.sum(), asked)

    expected = there_and_back()
    use_activations(bijector, activations)
    for got, ordinary in zip(there_and_back(), expected, strict=True):
        assert (got - ordinary).norm() < EXACT * ordinary.norm()


@recomputed
@pytest.mark.parametrize("enabled", [True, False])
def test_what_is_bound_with_gradients_serves_without_and_the_other_way_round(
    activations: Activations, enabled: bool
) -> None:
    bijector, x, context = made("conditional")
    expected = bijector(x, context)
    use_activations(bijector, activations)
    with torch.set_grad_enabled(enabled):
        bound = bijector.bind(context)
    with torch.set_grad_enabled(not enabled):
        got = bound(x)
    assert torch.allclose(got[0], expected[0], rtol=0, atol=1e-12)
    assert got[0].requires_grad != enabled


# --- memory ---------------------------------------------------------------------------------------------------------


def saved_bytes(bijector: Any, x: Tensor, context: Any) -> int:
    """Bytes that a call leaves for the backward pass, the parameters apart, which are there anyway."""
    known = {p.untyped_storage().data_ptr() for p in bijector.parameters()}
    # The tensors themselves: memory that is freed may be given to the next.
    saved: dict[int, Tensor] = {}

    def pack(tensor: Tensor) -> Tensor:
        if tensor.untyped_storage().data_ptr() not in known:
            saved[tensor.untyped_storage().data_ptr()] = tensor.detach()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        result = bijector(x, context)
    del result
    return sum(tensor.untyped_storage().nbytes() for tensor in saved.values())


def test_bytes_saved() -> None:
    def measured(steps: int, activations: Activations) -> int:
        torch.manual_seed(0)
        chain = level(1, steps)
        x, context = torch.randn(2, 1, 16, 16), torch.randn(2, CONTEXT, 8, 8)
        initialize(chain, x, context)
        use_activations(chain, activations)
        return saved_bytes(chain, x, context)

    value, context = 4 * 2 * 16 * 16, 4 * 2 * CONTEXT * 8 * 8
    # The result and the context; however many steps.
    assert [measured(steps, Reversible()) for steps in (1, 4, 16)] == [value + context] * 3
    # And one value a segment.
    assert [measured(steps, Reversible(segment=8)) for steps in (4, 16)] == [3 * value + context, 9 * value + context]
    # The context, and one value a segment, of 4 bijections a step after the squeeze, which alone needs no gradient.
    for steps in (4, 16):
        assert measured(steps, Checkpointed()) == 4 * steps * value + context
        assert measured(steps, Checkpointed(8)) == (4 * steps // 8 + 1) * value + context
        assert measured(steps, Stored()) > 3 * measured(steps, Checkpointed())


@recomputed
def test_nothing_is_recomputed_twice_however_deep_it_is_nested(activations: Activations) -> None:
    bijector, x, context = made("conditional")
    coupling = next(m for m in bijector.modules() if isinstance(m, Coupling))
    calls: list[bool] = []
    coupling.conditioner.register_forward_hook(lambda *_: calls.append(torch.is_grad_enabled()))
    use_activations(bijector, activations)
    gradients(bijector, x, context)
    forward, inverted, again = False, False, True
    assert calls == ([forward, inverted, again] if isinstance(activations, Reversible) else [forward, again])


# --- the same circumstances -----------------------------------------------------------------------------------------


def dropout() -> Chain:
    network = nn.Sequential(nn.Dropout(0.3), nn.Linear(2, HIDDEN), nn.Dropout(0.5), nn.Tanh(), nn.Linear(HIDDEN, 4))
    coupling = Coupling(4, network, event_dims=1)
    return Chain([part for _ in range(2) for part in (ColumnsFirst(), Linear(4), ColumnsFirst(), coupling)])


def hutchinson() -> Chain:
    def part() -> NeuralODE:
        return NeuralODE(TimeMLP(3, (HIDDEN,)), HutchinsonTrace(), time=0.1, solver=RungeKutta4(4))

    return Chain([Linear(3), part(), Linear(3), part()])


def residual() -> Chain:
    parts = [Residual(LipschitzMLP(3, (HIDDEN,)), RussianRouletteLogDet()) for _ in range(2)]
    return Chain([parts[0], Reversal(3), parts[1]])


@pytest.mark.parametrize("make", [dropout, hutchinson])
@recomputed
@directions
def test_random_numbers_are_the_same_again(make: Callable[[], Chain], activations: Activations, direction: str) -> None:
    torch.manual_seed(0)
    chain = make().double().train()
    chain.activations = activations
    perturb(chain, 0.3)
    x = image(6, 4 if make is dropout else 3)
    torch.manual_seed(1)
    found = gradients(chain, x, None, direction)
    drawn = torch.get_rng_state()

    moves = {name: torch.randn_like(gradient) for name, gradient in found.items()}
    ends = []
    for step in (1e-6, -1e-6):
        moved = copy.deepcopy(chain)
        with torch.no_grad():
            for name, parameter in moved.named_parameters():
                parameter.add_(step * moves[name])
        torch.manual_seed(1)
        ends.append(loss(moved, x + step * moves["input 0"], None, direction).item())
        # The backward pass leaves the generator where the forward pass left it.
        assert torch.equal(torch.get_rng_state(), drawn)
    slope = torch.stack([(moves[name] * gradient).sum() for name, gradient in found.items()]).sum().item()
    # Differences of 1e-6 are good to some 1e-9 of values of up to 1e3; other random numbers change it by its own size.
    assert (ends[0] - ends[1]) / 2e-6 == pytest.approx(slope, rel=1e-5)


@recomputed
@directions
def test_an_estimate_whose_gradient_is_one_too_is_the_same_again(activations: Activations, direction: str) -> None:
    torch.manual_seed(0)
    chain = residual().double().train()
    perturb(chain, 0.3)
    x, found = image(4, 3), []
    for choice in (Stored(), activations):
        use_activations(chain, choice)
        torch.manual_seed(1)
        found.append(gradients(chain, x, None, direction))
    # The inverse is Newton's, to rounding.
    assert furthest(found[1], found[0]) < EXACT


@recomputed
def test_autocast_is_what_it_was(activations: Activations) -> None:
    torch.manual_seed(0)
    chain = level(1, 2)
    x, context = torch.randn(4, 1, 8, 8), torch.randn(4, CONTEXT, 4, 4)
    initialize(chain, x, context)
    perturb(chain, 0.05)
    coupling = next(m for m in chain.modules() if isinstance(m, Coupling))
    dtypes: list[torch.dtype] = []
    coupling.conditioner.register_forward_hook(lambda _, __, raw: dtypes.append(raw.dtype))

    def run() -> Gradients:
        chain.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            z, log_det = chain(x, context)
        (z.square().mean() - log_det.mean()).backward()
        return {name: parameter.grad for name, parameter in chain.named_parameters() if parameter.grad is not None}

    expected = run()
    use_activations(chain, activations)
    got = run()
    assert set(dtypes) == {torch.bfloat16}
    assert got.keys() == expected.keys()
    # bfloat16 rounds by 2^-9, and an input that was found by inverting rounds another way; of all gradients together,
    # since some are sums that nearly cancel. Parameters that got none would be off by 1.
    both = [torch.cat([g.flatten() for g in (one.values())]) for one in (got, expected)]
    assert (both[0] - both[1]).norm() < 0.02 * both[1].norm()
    assert all(bool(g.any()) for name, g in got.items() if expected[name].any())


@recomputed
@directions
def test_parameters_that_are_swapped_for_the_call_get_the_gradients(activations: Activations, direction: str) -> None:
    bijector, x, context = made("conditional")
    other, _, _ = made("conditional")
    perturb(other, 0.1)
    x = data_of(bijector, x, context, direction)
    expected = gradients(other, x, context, direction)
    use_activations(bijector, activations)
    module = bijector if direction == "forward" else Inverse(bijector)
    prefix = "" if direction == "forward" else "bijector."
    swapped = dict(other.named_parameters())

    class Call:
        """The bijector with the other's parameters."""

        def __call__(self, x: Tensor, context: Tensor) -> Any:
            tensors = {prefix + name: 1.0 * tensor for name, tensor in swapped.items()}
            return torch.func.functional_call(module, tensors, (x, context))

        inverse = __call__

        def named_parameters(self) -> Any:
            return swapped.items()

    assert furthest(gradients(Call(), x, context, direction), expected) < EXACT


@recomputed
def test_transforms_of_functions_are_served(activations: Activations) -> None:
    bijector, x, context = made("conditional")
    parameters = {name: p.detach() for name, p in bijector.named_parameters()}

    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        z, log_det = torch.func.functional_call(bijector, parameters, (x, context))
        return z.square().sum() - log_det.sum()

    expected = torch.func.grad(loss)(parameters, x)
    use_activations(bijector, activations)
    for name, got in torch.func.grad(loss)(parameters, x).items():
        assert torch.allclose(got, expected[name], rtol=1e-12)
    mapped = torch.func.vmap(lambda x, context: bijector(x[None], context[None])[1])(x, context)
    assert torch.allclose(mapped.squeeze(1), bijector(x, context)[1], rtol=1e-12)


@recomputed
def test_compiled_code_gives_the_same(activations: Activations) -> None:
    bijector, x, context = made("conditional")
    expected = gradients(bijector, x, context)
    use_activations(bijector, activations)
    torch.compiler.reset()
    compiled: Any = torch.compile(bijector, backend="eager", fullgraph=isinstance(activations, Checkpointed))
    compiled_gradients = gradients(compiled, x, context)
    torch.compiler.reset()
    assert furthest({k.removeprefix("_orig_mod."): g for k, g in compiled_gradients.items()}, expected) < EXACT


@pytest.mark.parametrize("make", [hutchinson, residual])
@recomputed
def test_compiled_bijectors_that_take_derivatives_give_the_same(
    make: Callable[[], Chain], activations: Activations
) -> None:
    torch.manual_seed(0)
    chain = make().double().eval()
    x = image(4, 3)
    expected = gradients(chain, x, None)
    use_activations(chain, activations)
    torch.compiler.reset()
    compiled: Any = torch.compile(chain, backend="eager", fullgraph=isinstance(activations, Checkpointed))
    got = {name.removeprefix("_orig_mod."): g for name, g in gradients(compiled, x, None).items()}
    torch.compiler.reset()
    assert furthest(got, expected) < EXACT


# --- what asks for gradients ----------------------------------------------------------------------------------------


@recomputed
def test_frozen_parameters_stay_without(activations: Activations) -> None:
    bijector, x, context = made("conditional")
    for name, parameter in bijector.named_parameters():
        parameter.requires_grad_("log_scale" not in name)
    got, expected = both(bijector, activations, x, context)
    assert furthest(got, expected) < EXACT
    bijector(x, context)[0].sum().backward()
    assert all((p.grad is not None) == p.requires_grad for p in bijector.parameters())
    bijector.requires_grad_(False)
    assert not bijector(x, context)[0].requires_grad
    x.requires_grad_()
    bijector(x, context)[0].sum().backward()
    assert x.grad is not None


@recomputed
@pytest.mark.parametrize("which", [0, 1], ids=["result", "log-determinant"])
def test_one_of_both_outputs_will_do(activations: Activations, which: int) -> None:
    bijector, x, context = made("conditional")
    # Data that need no gradient, as in training; and parameters that one output does not depend on have none, or zeros.
    found = []
    for choice in (Stored(), activations):
        use_activations(bijector, choice)
        bijector.zero_grad()
        bijector(x, context)[which].square().sum().backward()
        found.append([torch.zeros_like(p) if p.grad is None else p.grad for p in bijector.parameters()])
    for got, expected in zip(found[1], found[0], strict=True):
        assert (got - expected).norm() <= EXACT * expected.norm()


@recomputed
def test_hooks_see_a_parameters_gradient_once_and_whole(activations: Activations) -> None:
    bijector, x, context = made("conditional")
    use_activations(bijector, activations)
    expected = gradients(bijector, x, context)
    parameter = bijector.parts[1].parts[0].bias
    seen: list[Tensor] = []
    parameter.register_hook(lambda gradient: seen.append(gradient) or 2 * gradient)
    doubled = gradients(bijector, x, context)["bijectors.1.bijectors.0.bias"]
    assert len(seen) == 1
    assert torch.allclose(doubled, 2 * expected["bijectors.1.bijectors.0.bias"])


def test_a_bijector_that_comes_twice_gets_both_gradients() -> None:
    torch.manual_seed(0)
    shared = LULinear(3)
    chain = Chain([shared, Reversal(3), shared, Inverse(shared), shared]).double()
    perturb(chain, 0.1)
    for activations in RECOMPUTED.values():
        got, expected = both(chain, activations, image(5, 3), None)
        assert furthest(got, expected) < EXACT


@recomputed
def test_tensors_and_modules_that_are_shared_within_a_step_get_both_gradients(activations: Activations) -> None:
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 2), nn.Tanh(), nn.Linear(2, 4))
    network[2].weight = network[0].weight
    coupling = Coupling(4, network, event_dims=1)
    chain = Chain([Hidden(Chain([coupling, Reversal(4), coupling])), Reversal(4)]).double()
    got, expected = both(chain, activations, image(5, 4), None)
    assert furthest(got, expected) < EXACT
    assert network[2].weight is network[0].weight


def test_second_derivatives_are_refused_by_reversible_and_given_by_checkpointed() -> None:
    def second(activations: Activations) -> Tensor:
        torch.manual_seed(0)
        chain = Chain([LULinear(3), Coupling(3, MLP(1, 4, (HIDDEN,), activation=nn.Tanh), event_dims=1)], activations)
        x = image(5, 3).requires_grad_()
        (slope,) = torch.autograd.grad(chain.double()(x)[0].square().sum(), x, create_graph=True)
        return torch.autograd.grad(slope.square().sum(), x)[0]

    assert torch.allclose(second(Checkpointed()), second(Stored()))
    with pytest.raises(RuntimeError, match="cannot be differentiated again"):
        second(Reversible())


@recomputed
def test_parameters_that_have_changed_are_noticed(activations: Activations) -> None:
    bijector, x, context = made("conditional")
    use_activations(bijector, activations)
    z, _ = bijector(x, context)
    with torch.no_grad():
        next(bijector.parameters()).add_(1.0)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        z.sum().backward()


def test_what_would_get_no_gradient_is_refused_by_reversible() -> None:
    part = Injector(4, nn.Linear(2, 8), event_dims=1)
    x, context = torch.rand(5, 4), torch.rand(5, 2)
    chain = Chain([Reversal(4), part.bind(context)], Reversible())
    with pytest.raises(ValueError, match="bind the chain to it instead"):
        chain(x)
    boxed = Chain(
        [ContextMap(part, operator.attrgetter("tensor")), Hidden(ContextMap(part, lambda c: c))], Reversible()
    )
    with pytest.raises(TypeError, match="cannot look into a Box of its context"):
        boxed(x, Box(context))


class Box:
    """A context that torch does not look into."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor


def test_tensors_that_cannot_be_listed_get_their_gradients_by_checkpointed() -> None:
    torch.manual_seed(0)
    part = Injector(4, nn.Linear(2, 8), event_dims=1)
    perturb(part, 0.1)
    x, context = torch.rand(5, 4), torch.rand(5, 2, requires_grad=True)
    asked = [*part.parameters(), context]

    def found(activations: Activations, bound: bool) -> tuple[Tensor, ...]:
        boxed = part.bind(context) if bound else ContextMap(part, operator.attrgetter("tensor"))
        z, log_det = Chain([Reversal(4), boxed], activations)(x, None if bound else Box(context))
        return torch.autograd.grad(z.square().sum() + log_det.sum(), asked)

    for bound in (True, False):
        torch.testing.assert_close(found(Checkpointed(), bound), found(Stored(), bound))


# --- the chain ------------------------------------------------------------------------------------------------------


def test_activations_are_no_part_of_the_state() -> None:
    bijector, x, context = made("conditional")
    keys = list(bijector.state_dict())
    use_activations(bijector, Reversible())
    assert list(bijector.state_dict()) == keys
    for other in (copy.deepcopy(bijector), pickle.loads(pickle.dumps(bijector))):
        assert isinstance(other.activations, Reversible)
        assert furthest(gradients(other, x, context), gradients(bijector, x, context)) == 0


@recomputed
def test_norms_start_from_data(activations: Activations) -> None:
    torch.manual_seed(0)
    one = level(1, 2)
    other = copy.deepcopy(one).train()
    use_activations(other, activations)
    x, context = torch.randn(4, 1, 6, 4), torch.randn(4, CONTEXT, 3, 2)
    initialize(one, x, context)
    initialize(other, x, context)
    assert all(torch.equal(p, q) for p, q in zip(one.parameters(), other.parameters(), strict=True))


@recomputed
def test_images_stay_in_their_memory_format(activations: Activations) -> None:
    torch.manual_seed(0)
    chain = Chain([glow_step(4), glow_step(4)])
    x = torch.randn(2, 4, 6, 4).to(memory_format=torch.channels_last)
    context = torch.randn(2, CONTEXT, 6, 4)
    initialize(chain, x, context)
    expected = chain(x, context)[0].stride()
    use_activations(chain, activations)
    assert chain(x, context)[0].stride() == expected


def test_use_activations_sets_every_chain() -> None:
    bijector, *_ = made("within multi-scale")
    choice = Checkpointed()
    use_activations(bijector, choice)
    chains = [module for module in bijector.modules() if isinstance(module, Chain)]
    assert len(chains) > 5
    assert all(chain.activations is choice for chain in chains)
    assert isinstance(Chain([Reversal(2)]).activations, Stored)
    with pytest.raises(ValueError, match="Linear contains no Chain"):
        use_activations(nn.Linear(2, 2), choice)


@pytest.mark.parametrize("segment", [0, -1])
def test_a_segment_of_no_step_is_refused(segment: int) -> None:
    for activations in (Checkpointed, Reversible):
        with pytest.raises(ValueError, match=f"segment is {segment}; it takes at least 1"):
            activations(segment)


# --- drift ----------------------------------------------------------------------------------------------------------


def test_float32_drifts_little_over_48_steps() -> None:
    torch.manual_seed(0)
    chain = level(3, 48).double()
    x, context = image(4, 3, 16, 16), image(4, CONTEXT, 8, 8)
    initialize(chain, x, context)
    perturb(chain, 0.05)
    exact = gradients(chain, x, context)

    def error(activations: Activations) -> float:
        single = copy.deepcopy(chain).float()
        use_activations(single, activations)
        got = gradients(single, x.float(), context.float())
        off = torch.stack([(got[name].double() - g).norm() for name, g in exact.items()]).norm()
        return float(off / torch.stack([g.norm() for g in exact.values()]).norm())

    ordinary, reversible = error(Stored()), error(Reversible())
    print(f"float32, 48 steps: gradients are off by {ordinary:.1e} stored and by {reversible:.1e} reversible")
    # 144 inverses of condition numbers of a few, at 6e-8 each, of which rounding errors of random signs add up to about
    # sqrt(144) of them: some 1e-6, as much as ordinary gradients are off by. A wrong input is off by 1.
    assert reversible < 1e-5
