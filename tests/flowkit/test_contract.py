"""What every bijector owes, checked on every line of the table."""

import copy
import io
import pickle
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch import Tensor

from flowkit import (
    ActNorm,
    Bijector,
    Chain,
    ContextMap,
    Conv1x1,
    ConvConditioner,
    Coupling,
    FactorOut,
    Injector,
    Inverse,
    LUConv1x1,
    MultiScale,
    Squeeze,
    ZeroConv2d,
    initialize,
)
from tests.flowkit.table import (
    STRAIGHT,
    TABLE,
    Sample,
    make_glow,
    make_injector,
    perturb,
    random_value,
    ready,
    samples,
)

# One tolerance for everything in float64 (unit 1e-16). The worst condition number of a perturbed matrix here is about
# 1e3 and the deepest flow has some 20 layers with scales within e^(+-3): rounding stays under 1e-10, and the smallest
# real mistake (a wrong sign, a missed factor) is of the order of 0.1.
TOLERANCE = 1e-8

ANY = pytest.mark.parametrize("name", TABLE)
CONDITIONAL = pytest.mark.parametrize(
    "name",
    [name for name in TABLE if any(word in name for word in ("conditional", "Injector", "ContextMap", "Glow"))],
)


def examples(number: int) -> settings:
    # The first example of each bijector builds networks, which takes its time: that says nothing of the code.
    return settings(
        max_examples=number,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )


def tensors(value: Any) -> list[Tensor]:
    """The tensors of a value: itself, or the tuple's."""
    return [value] if isinstance(value, Tensor) else [t for part in value for t in tensors(part)]


def close(got: Any, expected: Any, tolerance: float = TOLERANCE) -> None:
    for a, b in zip(tensors(got), tensors(expected), strict=True):
        torch.testing.assert_close(a, b, rtol=tolerance, atol=tolerance)


def equal(got: Any, expected: Any) -> None:
    close(got, expected, tolerance=0.0)


def apply_to(value: Any, function: Callable[[Tensor], Tensor]) -> Any:
    return function(value) if isinstance(value, Tensor) else tuple(apply_to(part, function) for part in value)


def shapes(value: Any, batch_dims: int) -> Any:
    if isinstance(value, Tensor):
        return tuple(value.shape[batch_dims:])
    return tuple(shapes(part, batch_dims) for part in value)


# --- the mathematics ------------------------------------------------------------------------------------------------


@ANY
@examples(4)
@given(data=st.data())
def test_inverse_undoes_forward(name: str, data: st.DataObject) -> None:
    s: Sample = data.draw(samples(TABLE[name]))
    z, _ = s.bijector(s.x, s.context)
    close(s.bijector.inverse(z, s.context)[0], s.x)


@ANY
@examples(4)
@given(data=st.data())
def test_forward_undoes_inverse(name: str, data: st.DataObject) -> None:
    s: Sample = data.draw(samples(TABLE[name]))
    x, _ = s.bijector.inverse(s.z, s.context)
    close(s.bijector(x, s.context)[0], s.z)


@ANY
@examples(4)
@given(data=st.data())
def test_log_dets_of_the_two_directions_cancel(name: str, data: st.DataObject) -> None:
    s: Sample = data.draw(samples(TABLE[name]))
    z, forward = s.bijector(s.x, s.context)
    _, backward = s.bijector.inverse(z, s.context)
    close(forward + backward, torch.zeros_like(forward))


def log_det_by_autograd(direction: Callable[..., Any], value: Any, context: Any) -> Tensor:
    parts = tensors(value)

    def flat(vector: Tensor) -> Tensor:
        pieces = vector.split([part.numel() for part in parts])
        made = [piece.view_as(part) for piece, part in zip(pieces, parts, strict=True)]
        result, _ = direction(made[0] if isinstance(value, Tensor) else tuple(made), context)
        return torch.cat([part.flatten() for part in tensors(result)])

    vector = torch.cat([part.flatten() for part in parts])
    jacobian = torch.autograd.functional.jacobian(flat, vector, vectorize=True)
    assert isinstance(jacobian, Tensor)
    return torch.linalg.slogdet(jacobian).logabsdet


@ANY
@examples(3)
@given(data=st.data())
def test_log_det_is_that_of_the_jacobian(name: str, data: st.DataObject) -> None:
    s: Sample = data.draw(samples(TABLE[name], batch=()))
    close(s.bijector(s.x, s.context)[1], log_det_by_autograd(s.bijector, s.x, s.context))
    close(s.bijector.inverse(s.z, s.context)[1], log_det_by_autograd(s.bijector.inverse, s.z, s.context))


@pytest.mark.parametrize("name", ["ActNorm", "Conv1x1", "LUConv1x1", "Coupling_sigmoid_conditional", "FactorOut"])
@examples(2)
@given(data=st.data())
def test_gradients_are_those_of_the_map(name: str, data: st.DataObject) -> None:
    # With respect to the parameters as well as the input: that is what training follows.
    s: Sample = data.draw(samples(TABLE[name], batch=(1,)))
    names = [key for key, _ in s.bijector.named_parameters()]
    values = [parameter.detach().clone().requires_grad_() for parameter in s.bijector.parameters()]

    def both_ways(x: Tensor, *parameters: Tensor) -> tuple[Tensor, ...]:
        swapped = dict(zip(names, parameters, strict=True))
        z, log_det = torch.func.functional_call(s.bijector, swapped, (x, s.context))
        turned = torch.func.functional_call(Inverse(s.bijector), under("bijector", swapped), (s.z, s.context))
        return (*tensors(z), log_det, *tensors(turned[0]), turned[1])

    assert torch.autograd.gradcheck(both_ways, (s.x.requires_grad_(), *values), fast_mode=True)


def under(prefix: str, parameters: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"{prefix}.{key}": value for key, value in parameters.items()}


# --- shapes and types -----------------------------------------------------------------------------------------------


@ANY
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@examples(3)
@given(data=st.data())
def test_shapes_and_types(name: str, dtype: torch.dtype, data: st.DataObject) -> None:
    s: Sample = data.draw(samples(TABLE[name], dtype=dtype))
    for value, (result, log_det) in (
        (s.x, s.bijector(s.x, s.context)),
        (s.z, s.bijector.inverse(s.z, s.context)),
    ):
        assert log_det.shape == s.batch
        assert log_det.dtype == dtype
        assert {part.dtype for part in tensors(result)} == {dtype}
        assert all(part.shape[: len(s.batch)] == s.batch for part in tensors(value) + tensors(result))


@ANY
@examples(3)
@given(data=st.data())
def test_shapes_are_known_without_running(name: str, data: st.DataObject) -> None:
    # A bijector that is not initialised cannot run, yet knows its shapes.
    case = TABLE[name].build(data.draw)
    fresh = case.make()
    latent = fresh.output_shape(case.event)
    assert fresh.input_shape(latent) == case.event
    bijector = ready(case, TABLE[name].deviation)
    x = random_value(case.event, (2,))
    context = None if case.context is None else random_value(case.context, (2,))
    z, _ = bijector(x, context)
    assert shapes(z, batch_dims=1) == latent
    assert shapes(bijector.inverse(z, context)[0], batch_dims=1) == case.event


# --- samples do not see each other ----------------------------------------------------------------------------------


@ANY
@examples(3)
@given(data=st.data())
def test_a_sample_does_not_depend_on_its_neighbours(name: str, data: st.DataObject) -> None:
    s: Sample = data.draw(samples(TABLE[name], batch=(3,)))
    for direction, value in ((s.bijector.forward, s.x), (s.bijector.inverse, s.z)):
        together, log_det = direction(value, s.context)
        for i in range(3):
            own_context = None if s.context is None else apply_to(s.context, lambda t, i=i: t[i : i + 1])
            alone, its_log_det = direction(apply_to(value, lambda t, i=i: t[i : i + 1]), own_context)
            close(alone, apply_to(together, lambda t, i=i: t[i : i + 1]))
            close(its_log_det, log_det[i : i + 1])


# --- context --------------------------------------------------------------------------------------------------------


@CONDITIONAL
@examples(3)
@given(data=st.data())
def test_bind_equals_passing_the_context(name: str, data: st.DataObject) -> None:
    s: Sample = data.draw(samples(TABLE[name]))
    bound = s.bijector.bind(s.context)
    z, log_det = bound(s.x)
    equal((z, log_det), s.bijector(s.x, s.context))
    equal(bound.inverse(s.z), s.bijector.inverse(s.z, s.context))
    close(bound.inverse(z)[0], s.x)
    assert bound.output_shape(s.case.event) == s.bijector.output_shape(s.case.event)
    assert bound.input_shape(bound.output_shape(s.case.event)) == s.case.event


@CONDITIONAL
@examples(3)
@given(data=st.data())
def test_a_context_of_batch_one_serves_any_batch(name: str, data: st.DataObject) -> None:
    s: Sample = data.draw(samples(TABLE[name], batch=(3,)))
    one = apply_to(s.context, lambda t: t[:1])
    many = apply_to(one, lambda t: t.expand(3, *t.shape[1:]))
    close(s.bijector(s.x, one), s.bijector(s.x, many))
    close(s.bijector.bind(one).inverse(s.z), s.bijector.inverse(s.z, many))


@CONDITIONAL
@examples(2)
@given(data=st.data())
def test_the_context_matters(name: str, data: st.DataObject) -> None:
    s: Sample = data.draw(samples(TABLE[name], batch=(2,)))
    other = apply_to(s.context, lambda t: t + 1)
    z, changed = tensors(s.bijector(s.x, s.context)[0]), tensors(s.bijector(s.x, other)[0])
    assert any(not torch.allclose(a, b, atol=1e-4) for a, b in zip(z, changed, strict=True))


@CONDITIONAL
@examples(1)
@given(data=st.data())
def test_a_bound_bijector_refuses_another_context(name: str, data: st.DataObject) -> None:
    s: Sample = data.draw(samples(TABLE[name]))
    bound = s.bijector.bind(s.context)
    with pytest.raises(ValueError, match="has its context already"):
        bound(s.x, s.context)
    with pytest.raises(ValueError, match="has its context already"):
        bound.inverse(s.z, s.context)


def test_one_conditioning_pass_serves_encoding_and_decoding() -> None:
    torch.manual_seed(0)
    flow = make_glow(1).double()
    context = random_value((3, 2, 2), (1,))
    x = random_value((1, 8, 8), (2,))
    initialize(flow, x, context)
    calls: list[str] = []
    encoder = flow.function
    assert isinstance(encoder, torch.nn.Module)
    encoder.register_forward_hook(lambda *_: calls.append("encoder"))
    for module in flow.modules():
        if isinstance(module, Injector):
            module.conditioner.register_forward_hook(lambda *_: calls.append("injector"))
    bound = flow.bind(context)
    z, _ = bound(x)
    bound.inverse(z)
    bound.inverse(z)
    assert calls == ["encoder"] + ["injector"] * 4


# --- nothing is left behind -----------------------------------------------------------------------------------------


def everything_on(module: torch.nn.Module) -> Iterator[tuple[str, str, Any]]:
    """All attributes of all parts (parameters and buffers by value, the rest by identity or as plain values)."""
    for name, part in module.named_modules():
        for key, value in vars(part).items():
            yield name, key, value if isinstance(value, bool | int | float | str) else id(value)
    for key, tensor in module.state_dict().items():
        yield "", key, tensor.clone().tolist()


@ANY
@examples(2)
@given(data=st.data())
def test_calls_are_repeatable_and_change_nothing(name: str, data: st.DataObject) -> None:
    s: Sample = data.draw(samples(TABLE[name]))
    before = list(everything_on(s.bijector))
    inputs = [t.clone() for t in tensors([s.x, s.z, *([] if s.context is None else [s.context])])]
    rng = torch.get_rng_state()
    first = s.bijector(s.x, s.context), s.bijector.inverse(s.z, s.context)
    second = s.bijector(s.x, s.context), s.bijector.inverse(s.z, s.context)
    equal(first, second)
    assert torch.equal(torch.get_rng_state(), rng)
    assert list(everything_on(s.bijector)) == before
    equal([s.x, s.z, *([] if s.context is None else [s.context])], inputs)


# --- copies ---------------------------------------------------------------------------------------------------------


@ANY
@examples(2)
@given(data=st.data())
def test_state_dict_makes_a_new_bijector_the_same(name: str, data: st.DataObject) -> None:
    s: Sample = data.draw(samples(TABLE[name]))
    file = io.BytesIO()
    torch.save(s.bijector.state_dict(), file)
    file.seek(0)
    other = s.case.make().double()
    other.load_state_dict(torch.load(file, weights_only=True))
    equal(other(s.x, s.context), s.bijector(s.x, s.context))
    equal(other.inverse(s.z, s.context), s.bijector.inverse(s.z, s.context))


@ANY
@pytest.mark.parametrize("copied", [copy.deepcopy, lambda b: pickle.loads(pickle.dumps(b))], ids=["deepcopy", "pickle"])
@examples(2)
@given(data=st.data())
def test_copies_are_the_same_and_apart(name: str, copied: Callable[[Any], Any], data: st.DataObject) -> None:
    s: Sample = data.draw(samples(TABLE[name]))
    expected = s.bijector(s.x, s.context), s.bijector.inverse(s.z, s.context)
    other = copied(s.bijector)
    equal((other(s.x, s.context), other.inverse(s.z, s.context)), expected)
    perturb(other, 0.05)
    equal((s.bijector(s.x, s.context), s.bijector.inverse(s.z, s.context)), expected)


# --- half precision -------------------------------------------------------------------------------------------------

# Under autocast only the conditioning networks round to bfloat16 (relative error 2^-9 an operation). Their outputs
# are of order 1 (beyond about 5 a scale function is flat) and pass some five operations: a log-scale is off by about
# 5 * 2^-9 = 0.01, so a log-determinant by no more than that for each number that passes through (errors of opposite
# sign cancel, so this is generous) and for each of the at most 6 conditioned layers.
LOG_DET_PER_ELEMENT = 6 * 0.01
# Both directions compute the same parameters from the same half, so one layer's round trip is exact up to float32
# (1e-7, values up to 1e3). A matrix or a scale in bfloat16 would cost 1e-2.
ROUND_TRIP = 1e-3
# Between layers, float32's last bit may flip a rounding to bfloat16 (2^-8 of a value of order 4, scales up to e^1.5).
ROUND_TRIP_OF_SEVERAL = 2**-8 * 4 * 4.5
SEVERAL = {"MultiScale2", "MultiScale3", "Glow", "Composition"}


@pytest.mark.parametrize("name", STRAIGHT)
@examples(3)
@given(data=st.data())
def test_under_bfloat16_autocast(name: str, data: st.DataObject) -> None:
    s: Sample = data.draw(samples(STRAIGHT[name], dtype=torch.float32))
    _, expected = s.bijector(s.x, s.context)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        z, log_det = s.bijector(s.x, s.context)
        x, back = s.bijector.inverse(z, s.context)
    assert log_det.dtype == back.dtype == torch.float32
    assert {part.dtype for part in [*tensors(z), x]} == {torch.float32}
    size = sum(part.numel() for part in tensors(s.x)) / max(1, expected.numel())
    assert (log_det - expected).abs().max() <= LOG_DET_PER_ELEMENT * size
    assert (x - s.x).abs().max() <= (ROUND_TRIP_OF_SEVERAL if name in SEVERAL else ROUND_TRIP)


# --- compiled -------------------------------------------------------------------------------------------------------


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_compiled_equals_eager() -> None:
    torch.manual_seed(0)
    flow = make_glow(1, steps=1).double()
    x, context = random_value((1, 8, 8), (2,)), random_value((3, 2, 2), (2,))
    initialize(flow, x, context)
    perturb(flow, 0.05)
    # The whole graph is captured, which is what the layers' code can break; how well a backend then compiles it
    # is not theirs to answer for.
    forward = torch.compile(flow, fullgraph=True, backend="eager")
    inverse = torch.compile(flow.inverse, fullgraph=True, backend="eager")
    z, log_det = flow(x, context)
    close(forward(x, context), (z, log_det))
    close(inverse(z, context), flow.inverse(z, context))


# --- messages -------------------------------------------------------------------------------------------------------

IMAGE = torch.rand(2, 4, 4, 4)
LAYERS_OF_4 = {
    "ActNorm": lambda: ActNorm(4),
    "Conv1x1": lambda: Conv1x1(4),
    "LUConv1x1": lambda: LUConv1x1(4),
    "Coupling": lambda: Coupling(4, ZeroConv2d(2, 4)),
    "Injector": lambda: Injector(4, ZeroConv2d(3, 8)),
    "FactorOut": lambda: FactorOut(4, ZeroConv2d(2, 4)),
}
of_4 = pytest.mark.parametrize("name", LAYERS_OF_4)


@of_4
def test_wrong_channels_are_named(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name}\(4\) got the event shape \(5, 4, 4\)"):
        LAYERS_OF_4[name]()(torch.rand(2, 5, 4, 4))


@pytest.mark.parametrize("name", [name for name in LAYERS_OF_4 if name != "FactorOut"])
def test_wrong_channels_are_named_backwards(name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name}\(4\) got the event shape \(5, 4, 4\)"):
        LAYERS_OF_4[name]().inverse(torch.rand(2, 5, 4, 4))


@pytest.mark.parametrize("name", [*LAYERS_OF_4, "Squeeze"])
def test_too_few_dimensions_are_named(name: str) -> None:
    bijector = Squeeze() if name == "Squeeze" else LAYERS_OF_4[name]()
    with pytest.raises(ValueError, match=rf"{name} takes 3 event dimensions .* shape \(4, 4\)"):
        bijector(torch.rand(4, 4))
    with pytest.raises(ValueError, match=rf"{name} takes 3 event dimensions .* shape \(4, 4\)"):
        bijector.inverse(torch.rand(4, 4))


class OneBatchDimension(Squeeze):
    batch_dims = 1


@pytest.mark.parametrize(
    "wrap",
    [lambda b: b, Inverse, lambda b: Chain([Inverse(Squeeze()), Squeeze(), b]), lambda b: MultiScale([b])],
    ids=["itself", "Inverse", "Chain", "MultiScale"],
)
def test_a_stated_number_of_batch_dimensions_is_held(wrap: Callable[[Any], Bijector[Any, Any]]) -> None:
    bijector = wrap(OneBatchDimension())
    bijector(torch.rand(1, 4, 4, 4))
    with pytest.raises(ValueError, match="3 event dimensions after 1 batch dimensions"):
        bijector(torch.rand(1, 1, 4, 4, 4))
    with pytest.raises(ValueError, match="3 event dimensions after 1 batch dimensions"):
        bijector.bind(None)(torch.rand(4, 4, 4))


@of_4
@pytest.mark.parametrize("dtype", [torch.uint8, torch.int64, torch.bool, torch.complex64], ids=str)
def test_other_than_floating_point_is_refused(name: str, dtype: torch.dtype) -> None:
    with pytest.raises(TypeError, match=rf"{name} takes floating-point tensors, got a {dtype} tensor"):
        LAYERS_OF_4[name]()(IMAGE.to(dtype))


def test_other_than_tensors_is_refused() -> None:
    with pytest.raises(TypeError, match="got a list"):
        Squeeze()([[1.0]])
    with pytest.raises(TypeError, match="got a ndarray"):
        Squeeze().inverse(IMAGE.numpy())


@pytest.mark.parametrize("size", [(5, 4), (4, 5), (1, 2)])
def test_indivisible_sizes_are_named(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match=rf"divisible by 2, got the event shape \(3, {size[0]}, {size[1]}\)"):
        Squeeze()(torch.rand(1, 3, *size))
    with pytest.raises(ValueError, match=r"multiple of 9 channels, got \(8, 4, 4\)"):
        Squeeze(3).inverse(torch.rand(1, 8, 4, 4))


def test_an_image_that_the_levels_do_not_divide_is_named() -> None:
    flow = MultiScale([Squeeze(), Squeeze()], [FactorOut(4, ZeroConv2d(2, 4))])
    with pytest.raises(ValueError, match=r"divisible by 2, got the event shape \(2, 3, 2\)"):
        flow(torch.rand(1, 1, 6, 4))


@pytest.mark.parametrize("wrap", [lambda b: b, Inverse, lambda b: Chain([b])], ids=["itself", "Inverse", "Chain"])
@pytest.mark.parametrize(
    "conditional",
    [
        lambda: make_injector(4),
        lambda: ContextMap(Squeeze(), lambda c: c),
        lambda: Coupling(4, ConvConditioner(2, 4, 4, context_channels=3)),
    ],
    ids=["Injector", "ContextMap", "Coupling"],
)
def test_a_missing_context_is_named(
    conditional: Callable[[], Bijector[Any, Any]], wrap: Callable[[Any], Bijector[Any, Any]]
) -> None:
    bijector = wrap(conditional())
    for call in (bijector, bijector.inverse):
        with pytest.raises(ValueError, match="context"):
            call(IMAGE)
    with pytest.raises(ValueError, match="context"):
        bijector.bind(None)


def test_latents_of_the_wrong_number_are_named() -> None:
    flow = MultiScale([Squeeze(), Squeeze()], [FactorOut(4, ZeroConv2d(2, 4))])
    z, _ = flow(torch.rand(1, 1, 4, 4))
    for wrong in (z[:1], (*z, z[0])):
        with pytest.raises(ValueError, match=rf"MultiScale of 2 levels .*got {len(wrong)}"):
            flow.inverse(wrong)
    with pytest.raises(ValueError, match=r"MultiScale of 2 levels .*got a single tensor"):
        flow.inverse(z[0])
    # Three levels and the three numbers of an image's shape are not to be confused.
    deep = MultiScale([Squeeze()] * 3, [FactorOut(4, ZeroConv2d(2, 4)), FactorOut(8, ZeroConv2d(4, 8))])
    with pytest.raises(ValueError, match=r"MultiScale of 3 levels .*got a single tensor"):
        deep.inverse(torch.rand(1, 8, 1, 1))


def test_parts_of_the_wrong_number_or_shape_are_named() -> None:
    cut = FactorOut(5, ZeroConv2d(2, 6))
    (kept, latent), _ = cut(torch.rand(1, 5, 4, 4))
    for wrong in ((kept,), (kept, latent, latent), kept):
        with pytest.raises(ValueError, match=r"FactorOut\(5\) joins two parts"):
            cut.inverse(wrong)
    for other in (kept, latent[..., :2]):
        with pytest.raises(ValueError, match=r"FactorOut\(5\) cannot join parts of the event shapes"):
            cut.inverse((kept, other))


@pytest.mark.parametrize(
    "bijector",
    [
        ActNorm(4),
        Inverse(ActNorm(4)),
        Chain([Conv1x1(4), ActNorm(4)]),
        Coupling(4, ConvConditioner(2, 4, 4)),
    ],
    ids=["ActNorm", "Inverse", "Chain", "Coupling"],
)
def test_an_uninitialised_actnorm_refuses_both_directions(bijector: Bijector[Any, Any]) -> None:
    for call in (bijector, bijector.inverse, bijector.bind(None)):
        with pytest.raises(RuntimeError, match=r"ActNorm\(4\) is not initialised: call flowkit.initialize"):
            call(IMAGE)


@pytest.mark.parametrize(
    "bijector",
    [
        Coupling(2, torch.nn.Linear(1, 6), event_dims=1),
        Coupling(4, torch.nn.Linear(2, 2), event_dims=1),
        Injector(1, torch.nn.Linear(2, 6), event_dims=1),
        FactorOut(2, ZeroConv2d(1, 6)),
    ],
    ids=["Coupling_more", "Coupling_fewer", "Injector_more", "FactorOut_more"],
)
def test_a_conditioner_of_the_wrong_width_is_named(bijector: Bijector[Any, Any]) -> None:
    # A single channel broadcasts against any number of parameters: unchecked, the latent would grow channels.
    shape = (bijector.channels, 4, 4)[: bijector.event_dims]
    context = torch.rand(3, 2) if isinstance(bijector, Injector) else None
    with pytest.raises(ValueError, match="conditioner gave"):
        bijector(torch.rand(3, *shape), context)
