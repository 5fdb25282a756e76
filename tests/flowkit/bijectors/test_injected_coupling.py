import pytest
import torch
from torch import Tensor

from flowkit import (
    Affine,
    Bijector,
    Chain,
    Checkpointed,
    ConvConditioner,
    Coupling,
    Injector,
    Reversible,
    ZeroConv2d,
    initialize,
    use_activations,
)
from flowkit.nn import MixedResolution, TiledFeatures, tile_features

CHANNELS = 66


def pair() -> tuple[Chain, Tensor, MixedResolution]:
    """An injector and a coupling whose networks do something, data and a context, in float64."""
    torch.manual_seed(0)
    x = torch.randn(3, 4, 8, 12).double()
    context = MixedResolution(torch.rand(3, CHANNELS - 2, 8, 12).double(), torch.rand(3, 2, 4, 6).double())
    chain = Chain(
        [
            Injector(4, ConvConditioner(CHANNELS, 8, 8), Affine()),
            Coupling(4, ConvConditioner(2, 4, 8, CHANNELS), Affine()),
        ]
    ).double()
    initialize(chain, x, context)
    for module in chain.modules():
        if isinstance(module, ZeroConv2d):
            torch.nn.init.normal_(module.conv.weight, std=0.1)
    return chain, x, context


def one_by_one(chain: Chain, x: Tensor, context: MixedResolution, inverse: bool) -> tuple[Tensor, Tensor]:
    """Without tiles."""
    parts: list[Bijector[Tensor, Tensor]] = chain.parts[::-1] if inverse else chain.parts
    total = x.new_zeros(len(x))
    for part in parts:
        x, log_det = part.inverse(x, context) if inverse else part(x, context)
        total = total + log_det
    return x, total


@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("grad", [False, True])
def test_it_is_the_one_after_the_other(inverse: bool, training: bool, grad: bool) -> None:
    chain, x, context = pair()
    chain.train(training)
    tiled = tile_features(context)
    assert isinstance(tiled, TiledFeatures)
    with torch.set_grad_enabled(grad):
        got = chain.inverse(x, tiled) if inverse else chain(x, tiled)
        expected = one_by_one(chain, x, context, inverse)
    for one, other in zip(got, expected, strict=True):
        # Winograd's rounding in float64.
        torch.testing.assert_close(one, other, atol=1e-10, rtol=1e-10)


@pytest.mark.parametrize("activations", [None, Checkpointed(), Reversible()])
@pytest.mark.parametrize("inverse", [False, True])
def test_gradients(inverse: bool, activations: Checkpointed | Reversible | None) -> None:
    chain, x, context = pair()
    if activations is not None:
        use_activations(chain, activations)
    leaves = [x.requires_grad_(), *(part.requires_grad_() for part in context), *chain.parameters()]

    def gradients(z: Tensor, log_det: Tensor) -> tuple[Tensor, ...]:
        return torch.autograd.grad(z.square().sum() + log_det.square().sum(), leaves)

    tiled = tile_features(context)
    got = gradients(*(chain.inverse(x, tiled) if inverse else chain(x, tiled)))
    for one, other in zip(got, gradients(*one_by_one(chain, x, context, inverse)), strict=True):
        torch.testing.assert_close(one, other, atol=1e-8, rtol=1e-8)


def test_its_networks_read_the_context_by_one_product(monkeypatch: pytest.MonkeyPatch) -> None:
    chain, x, context = pair()
    products = []
    bmm = torch.bmm

    def counted(left: Tensor, right: Tensor) -> Tensor:
        products.append(right.shape[-1])
        return bmm(left, right)

    monkeypatch.setattr(torch, "bmm", counted)
    chain(x, tile_features(context))
    # The places of both maps, and those of the fine ones alone, for 8 + 8 hidden channels.
    assert products == [16, 16]


def test_norms_without_a_start_are_told_by_name() -> None:
    chain = Chain([Injector(4, ConvConditioner(CHANNELS, 8, 8)), Coupling(4, ConvConditioner(2, 4, 8, CHANNELS))])
    tiled = tile_features(torch.rand(3, CHANNELS, 8, 12))
    with pytest.raises(RuntimeError, match=r"ActNorm\(8\) is not initialised"):
        chain(torch.randn(3, 4, 8, 12), tiled)
    initialize(chain, torch.randn(3, 4, 8, 12), tiled)
    with pytest.raises(ValueError, match="takes a context of 66 channels, got one of 64"):
        chain(torch.randn(3, 4, 8, 12), tile_features(torch.rand(3, 64, 8, 12)))
