"""plain == fast, over every network that has a fast twin: values and gradients, on a grid of shapes and layouts."""

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from flowkit import MADE, ActNorm, ConvConditioner, MaskedAutoregressive
from flowkit.nn import ContextConv2d, Conv2d, MixedResolution

# Sums of some hundred products of numbers near 1, in another order, in float32.
CLOSE = {"atol": 2e-4, "rtol": 2e-4}

SIDES = st.sampled_from([1, 2, 3, 5, 8, 17, 40])
BATCHES = st.sampled_from([(), (1,), (3,), (0,), (2, 3), (1, 2, 2)])
LAYOUTS = st.sampled_from(["contiguous", "channels last", "transposed", "sliced", "expanded"])


def images(batch: tuple[int, ...], channels: int, height: int, width: int, layout: str) -> Tensor:
    """Images in one of several orders in memory."""
    shape = (*batch, channels, height, width)
    match layout:
        case "channels last":
            return torch.randn(*batch, height, width, channels).movedim(-1, -3)
        case "transposed":
            return torch.randn(*batch, channels, width, height).mT
        case "sliced":
            return torch.randn(*batch, channels + 2, height, 2 * width)[..., 1:-1, :, ::2]
        case "expanded":
            return torch.randn(*batch, channels, 1, 1).expand(shape)
    return torch.randn(shape)


def plain(function: Callable[[], Tensor]) -> Tensor:
    """A call for which gradients are recorded, so that nothing is done in place."""
    with torch.enable_grad():
        return function().detach()


@settings(deadline=None, max_examples=60)
@given(BATCHES, SIDES, SIDES, LAYOUTS, st.sampled_from([1, 3]), st.booleans(), st.sampled_from([1, 3, 33]))
def test_conv2d(
    batch: tuple[int, ...], height: int, width: int, layout: str, side: int, bias: bool, channels: int
) -> None:
    torch.manual_seed(0)
    layer, x = Conv2d(channels, 5, side, bias).eval(), images(batch, channels, height, width, layout)
    flat = x.reshape(-1, *x.shape[-3:])
    expected = F.conv2d(flat, layer.weight, layer.bias, padding=side // 2).reshape(*batch, 5, height, width)
    torch.testing.assert_close(plain(lambda: layer(x)), expected.detach(), **CLOSE)
    with torch.no_grad():
        for _ in range(2):
            torch.testing.assert_close(layer(x), expected, **CLOSE)


@settings(deadline=None, max_examples=40)
@given(BATCHES, SIDES, SIDES, LAYOUTS, st.sampled_from([1, 2, 4]))
def test_context_conv2d(batch: tuple[int, ...], height: int, width: int, layout: str, factor: int) -> None:
    torch.manual_seed(0)
    layer = ContextConv2d(2, 5, context_channels=7).eval()
    x = images(batch, 2, height * factor, width * factor, layout)
    fine = images(batch, 3, height * factor, width * factor, layout)
    context = MixedResolution(fine, images(batch, 4, height, width, layout))
    both = torch.cat([x, context.dense()], -3)
    flat = F.conv2d(both.reshape(-1, *both.shape[-3:]), layer.weight, layer.bias, padding=1)
    expected = flat.reshape(*batch, *flat.shape[-3:])
    for c in (context, context.dense()):
        torch.testing.assert_close(plain(lambda c=c: layer(x, layer.prepare(c))), expected.detach(), **CLOSE)
        with torch.no_grad():
            torch.testing.assert_close(layer(x, layer.prepare(c)), expected, **CLOSE)


def conditioner(dtype: torch.dtype) -> ConvConditioner:
    torch.manual_seed(0)
    network = ConvConditioner(2, 6, hidden_channels=5, context_channels=3).to(dtype)
    for module in network.modules():
        if isinstance(module, ActNorm):
            module.mark_initialized()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return network


def layer_by_layer(network: ConvConditioner, function: Callable[[], Tensor]) -> Tensor:
    """The plain forward, which a hook asks for."""
    handle = network.norm1.register_forward_hook(lambda *_: None)
    try:
        return function()
    finally:
        handle.remove()


@settings(deadline=None, max_examples=40)
@given(BATCHES, SIDES, SIDES, LAYOUTS)
def test_conv_conditioner(batch: tuple[int, ...], height: int, width: int, layout: str) -> None:
    network = conditioner(torch.float32).eval()
    x, context = (images(batch, c, height, width, layout) for c in (2, 3))
    expected = plain(lambda: layer_by_layer(network, lambda: network(x, network.prepare(context))))
    torch.testing.assert_close(plain(lambda: network(x, network.prepare(context))), expected, **CLOSE)
    with torch.no_grad():
        torch.testing.assert_close(network(x, network.prepare(context)), expected, **CLOSE)


@pytest.mark.parametrize("batch", [(), (3,), (2, 3), (64, 8)])
@pytest.mark.parametrize("layout", ["contiguous", "channels last", "sliced", "expanded"])
def test_gradients_of_a_conv_conditioner(batch: tuple[int, ...], layout: str) -> None:
    network = conditioner(torch.float64)
    x, context = (images(batch, c, 4, 5, layout).double().requires_grad_() for c in (2, 3))
    leaves = [x, context, *network.parameters()]

    def gradients() -> tuple[Tensor, ...]:
        return torch.autograd.grad(network(x, network.prepare(context)).square().sum(), leaves)

    fast = gradients()
    handle = network.norm1.register_forward_hook(lambda *_: None)
    slow = gradients()
    handle.remove()
    for one, other in zip(fast, slow, strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("batch", [(), (3,), (0,), (2, 3), (64, 8)])
@pytest.mark.parametrize("context_features", [0, 4])
def test_unrolling_a_made(batch: tuple[int, ...], context_features: int) -> None:
    torch.manual_seed(0)
    network = MADE(3, 2, (8, 8), context_features).double()
    with torch.no_grad():
        network.layers[-1].weight.normal_()
    layer = MaskedAutoregressive(3, network)
    z = torch.randn(*batch, 3, dtype=torch.float64, requires_grad=True)
    context = torch.randn(*batch, 4, dtype=torch.float64) if context_features else None

    def results() -> tuple[Tensor, ...]:
        x, log_det = layer.inverse(z, context)
        gradients = torch.autograd.grad(x.square().sum() + log_det.sum(), [z, *network.parameters()])
        return x, log_det, *gradients

    unrolled = results()
    handle = network.layers[0].register_forward_hook(lambda *_: None)
    plainly = results()
    handle.remove()
    for one, other in zip(unrolled, plainly, strict=True):
        torch.testing.assert_close(one, other)


def test_the_reasons_against_folding() -> None:
    network = conditioner(torch.float64)
    assert network.why_plain() is None
    with torch.nn.utils.parametrize.cached():
        torch.nn.utils.parametrizations.weight_norm(network.conv2)
        assert "ParametrizedConv2d, not a Conv2d" in str(network.why_plain())
    fresh = ConvConditioner(2, 6, hidden_channels=5)
    assert "waits for its start" in str(fresh.why_plain())
    for module in (fresh.conv1, fresh.norm2, fresh.conv3, fresh.conv3.conv):
        handle = module.register_forward_pre_hook(lambda *_: None)
        for norm in (fresh.norm1, fresh.norm2):
            norm.mark_initialized()
        assert "has hooks" in str(fresh.why_plain())
        handle.remove()
    handle = torch.nn.modules.module.register_module_forward_hook(lambda *_: None)
    assert "all modules have hooks" in str(fresh.why_plain())
    handle.remove()
    fresh.norm1.forward = lambda x, context=None: (x, x.sum())  # type: ignore[method-assign]
    assert "forward of ActNorm was replaced" in str(fresh.why_plain())


class Subclass(Tensor):
    pass


def test_an_image_of_a_derived_class_stays_one() -> None:
    layer: nn.Module = Conv2d(3, 5, 3).eval()
    x = torch.rand(2, 3, 8, 8).as_subclass(Subclass)
    with torch.no_grad():
        assert isinstance(layer(x), Subclass)
