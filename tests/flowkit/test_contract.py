"""The contract's messages, and that a context is paid for once; what can be measured, flowkit.testing checks."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

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
from flowkit.testing.catalogue import CATALOGUE
from flowkit.testing.catalogue.compositions import make_glow
from flowkit.testing.catalogue.image import make_injector
from flowkit.testing.check import as_case
from flowkit.testing.subject import Subject

# --- context --------------------------------------------------------------------------------------------------------

CONDITIONAL = [name for name, entry in CATALOGUE.items() if as_case(entry).context is not None]


@pytest.mark.parametrize("name", CONDITIONAL)
def test_a_bound_bijector_refuses_another_context(name: str) -> None:
    subject = Subject(as_case(CATALOGUE[name]))
    sample = subject.sample()
    bound = subject.bijector.bind(sample.context)
    with pytest.raises(ValueError, match="has its context already"):
        bound(sample.x, sample.context)
    with pytest.raises(ValueError, match="has its context already"):
        bound.inverse(sample.z, sample.context)


def test_one_conditioning_pass_serves_encoding_and_decoding() -> None:
    torch.manual_seed(0)
    flow = make_glow(1).double()
    context = torch.randn(1, 3, 2, 2, dtype=torch.float64)
    x = torch.randn(2, 1, 8, 8, dtype=torch.float64)
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
