import pytest
import torch
from torch import Tensor

from flowkit import ConvConditioner, initialize
from flowkit.nn import MixedResolution, TiledFeatures, tile_features

CHANNELS = 66
Maps = Tensor | MixedResolution


def maps(factor: int | None, dtype: torch.dtype, *batch: int) -> Maps:
    """An image, or fine maps of its size and coarse ones; some are cut into tiles that reach beyond it."""
    generator = torch.Generator().manual_seed(0)
    height, width = size(factor)
    fine = torch.rand(*batch, CHANNELS - 2 * (factor is not None), height, width, generator=generator).to(dtype)
    if factor is None:
        return fine
    coarse = torch.rand(*batch, 2, height // factor, width // factor, generator=generator).to(dtype)
    return MixedResolution(fine, coarse)


def size(factor: int | None) -> tuple[int, int]:
    return (8, 16) if factor in (4, 8) else (6, 10)


def ready(network: ConvConditioner, x: Tensor | MixedResolution, context: Maps | None = None) -> ConvConditioner:
    torch.manual_seed(0)
    initialize(network, x, network.prepare(context))
    torch.nn.init.normal_(network.conv3.conv.weight, std=0.1)
    return network


@pytest.mark.parametrize("factor", [None, 1, 2, 4])
@pytest.mark.parametrize("mode", ["training", "evaluation", "evaluation without gradients"])
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_networks_see_the_same_as_data_and_as_context(factor: int | None, mode: str, dtype: torch.dtype) -> None:
    features, x = maps(factor, dtype, 3), torch.rand(3, 4, *size(factor), dtype=dtype)
    of_context = ready(ConvConditioner(4, 6, 8, CHANNELS).to(dtype), x, features).train(mode == "training")
    of_data = ready(ConvConditioner(CHANNELS, 6, 8).to(dtype), features).train(mode == "training")
    tiled = tile_features(features)
    assert isinstance(tiled, TiledFeatures)
    assert tiled.channels == CHANNELS
    # Winograd's rounding, in numbers of about 1.
    close = {"atol": 1e-4, "rtol": 1e-4} if dtype == torch.float32 else {"atol": 1e-11, "rtol": 1e-11}
    with torch.set_grad_enabled(mode != "evaluation without gradients"):
        torch.testing.assert_close(of_data(tiled), of_data(features), **close)
        expected = of_context(x, of_context.prepare(features))
        torch.testing.assert_close(of_context(x, of_context.prepare(tiled)), expected, **close)


@pytest.mark.parametrize("factor", [None, 1, 2, 4])
def test_gradients_by_features_and_weights_are_the_same(factor: int | None) -> None:
    features = maps(factor, torch.float64, 3)
    network = ready(ConvConditioner(CHANNELS, 6, 8).double(), features)
    leaves = [t.requires_grad_() for t in ([features] if isinstance(features, Tensor) else features)]
    inputs = [*leaves, *network.parameters()]
    expected = torch.autograd.grad(network(features).square().sum(), inputs)
    got = torch.autograd.grad(network(tile_features(features)).square().sum(), inputs)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other, atol=1e-9, rtol=1e-9)


def test_any_number_of_batch_dimensions() -> None:
    features = maps(2, torch.float64, 2, 3)
    assert isinstance(features, MixedResolution)
    network = ready(ConvConditioner(CHANNELS, 6, 8).double(), MixedResolution(*(m.flatten(0, 1) for m in features)))
    torch.testing.assert_close(network(tile_features(features)), network(features), atol=1e-11, rtol=1e-11)


def test_evaluation_follows_the_weights() -> None:
    features = tile_features(maps(2, torch.float32, 1))
    network = ready(ConvConditioner(CHANNELS, 6, 8), maps(2, torch.float32, 1)).eval()
    with torch.no_grad():
        before = network(features)
        network.conv1.weight.mul_(1.5)
        after = network(features)
        torch.testing.assert_close(after, network.train()(features), atol=1e-4, rtol=1e-4)
    assert (after - before).abs().max() > 1e-3


@pytest.mark.parametrize("reason", ["few channels", "half precision", "autocast", "far coarser maps"])
def test_elsewhere_features_stay_as_they_are(reason: str) -> None:
    dtype = torch.bfloat16 if reason == "half precision" else torch.float32
    features = maps(8 if reason == "far coarser maps" else 2, dtype, 1)
    assert isinstance(features, MixedResolution)
    if reason == "few channels":
        features = MixedResolution(features.fine[:, :63], features.coarse)
    with torch.autocast("cpu", torch.bfloat16, enabled=reason == "autocast"):
        assert tile_features(features) is features


def test_compiled_code_has_no_tiles() -> None:
    features = maps(None, torch.float32, 1)
    assert isinstance(torch.compile(tile_features, backend="eager", fullgraph=True)(features), Tensor)


def test_sizes_that_do_not_fit_are_refused() -> None:
    fine, coarse = torch.rand(1, 64, 6, 10), torch.rand(1, 2, 4, 5)
    with pytest.raises(ValueError, match="fine maps are 6 x 10 and coarse ones 4 x 5"):
        tile_features(MixedResolution(fine, coarse))
