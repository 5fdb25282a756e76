import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit import ActNorm, ConvConditioner, ZeroConv2d, initialize
from flowkit.nn import MixedResolution


def made_ready(network: ConvConditioner) -> ConvConditioner:
    torch.manual_seed(0)
    network = network.double()
    for module in network.modules():
        if isinstance(module, ActNorm):
            module.mark_initialized()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return network


def as_one_convolution(network: ConvConditioner, x: Tensor) -> Tensor:
    """What the network computes, on data and context concatenated, written out."""
    hidden = F.conv2d(x, network.conv1.weight, padding=1)
    for norm, conv in ((network.norm1, network.conv2), (network.norm2, None)):
        bias, log_scale = norm.bias.view(-1, 1, 1), norm.log_scale.view(-1, 1, 1)
        hidden = F.relu((hidden + bias) * log_scale.exp())
        hidden = hidden if conv is None else F.conv2d(hidden, conv.weight)
    last = network.conv3
    return F.conv2d(hidden, last.conv.weight, last.conv.bias, padding=1) * (3 * last.log_scale).exp().view(-1, 1, 1)


def test_prepare_and_forward_are_one_convolution_of_both() -> None:
    network = made_ready(ConvConditioner(2, 6, hidden_channels=5, context_channels=3))
    x, context = torch.rand(4, 2, 3, 5).double(), torch.rand(4, 3, 3, 5).double()
    torch.testing.assert_close(
        network(x, network.prepare(context)), as_one_convolution(network, torch.cat([x, context], 1))
    )


def test_without_context_it_is_the_plain_network() -> None:
    network = made_ready(ConvConditioner(2, 6, hidden_channels=5))
    x = torch.rand(4, 2, 3, 5).double()
    assert network.prepare(None) is None
    torch.testing.assert_close(network(x), as_one_convolution(network, x))


def test_any_number_of_batch_dimensions() -> None:
    network = made_ready(ConvConditioner(2, 6, hidden_channels=5, context_channels=3))
    x, context = torch.rand(4, 2, 3, 5).double(), torch.rand(4, 3, 3, 5).double()
    expected = network(x, network.prepare(context))
    folded = network(x.view(2, 2, 2, 3, 5), network.prepare(context.view(2, 2, 3, 3, 5)))
    torch.testing.assert_close(folded.flatten(0, 1), expected)
    torch.testing.assert_close(network(x[0], network.prepare(context[0])), expected[0])


def test_a_new_network_gives_zeros() -> None:
    network = ConvConditioner(2, 6, hidden_channels=5)
    x = torch.rand(4, 2, 3, 5)
    initialize(network, x)
    assert torch.equal(network(x), torch.zeros(4, 6, 3, 5))


@pytest.mark.parametrize(
    ("announced", "context"),
    [(3, None), (0, torch.rand(1, 3, 4, 4)), (3, torch.rand(1, 2, 4, 4))],
    ids=["missing", "unannounced", "other"],
)
def test_another_context_than_announced_is_refused(announced: int, context: Tensor | None) -> None:
    got = "none" if context is None else "one of shape"
    with pytest.raises(ValueError, match=f"context of {announced} channels, got {got}"):
        ConvConditioner(2, 6, hidden_channels=5, context_channels=announced).prepare(context)


def test_zero_conv_starts_at_zero_and_scales_by_three_times_its_log_scale() -> None:
    layer = ZeroConv2d(3, 2)
    x = torch.rand(4, 3, 5, 6)
    assert torch.equal(layer(x), torch.zeros(4, 2, 5, 6))
    with torch.no_grad():
        layer.conv.weight.normal_()
        assert layer.conv.bias is not None
        layer.conv.bias.normal_()
        layer.log_scale.copy_(torch.tensor([0.0, 0.1]))
    plain = F.conv2d(x, layer.conv.weight, layer.conv.bias, padding=1)
    torch.testing.assert_close(
        layer(x), plain * torch.tensor([1.0, 0.3]).mul(torch.tensor([0.0, 1.0])).exp().view(2, 1, 1)
    )
    torch.testing.assert_close(layer(x)[:, 0], plain[:, 0])


class TestMixedResolution:
    """Maps of two resolutions, as data and as context."""

    def maps(self, channels: int, factor: int, *batch: int) -> MixedResolution:
        generator = torch.Generator().manual_seed(channels)
        fine = torch.rand(*batch, 2, 2 * factor, 3 * factor, generator=generator).double()
        return MixedResolution(fine, torch.rand(*batch, channels - 2, 2, 3, generator=generator).double())

    @pytest.mark.parametrize("factor", [1, 2, 4])
    @pytest.mark.parametrize("grad", [True, False])
    @pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
    def test_it_is_the_network_of_the_dense_maps(self, factor: int, grad: bool, dtype: torch.dtype) -> None:
        network = made_ready(ConvConditioner(4, 6, hidden_channels=5, context_channels=5)).to(dtype).eval()
        data, context = (MixedResolution(*(m.to(dtype) for m in self.maps(c, factor, 3))) for c in (4, 5))
        # In float32 the kernels are packed where no gradients are recorded, and sum in another order.
        close = {"atol": 1e-5, "rtol": 1e-5} if dtype == torch.float32 else {"atol": 1e-12, "rtol": 1e-12}
        with torch.set_grad_enabled(grad):
            expected = as_one_convolution(network, torch.cat([data.dense(), context.dense()], 1))
            for x in (data, data.dense()):
                for c in (context, context.dense()):
                    torch.testing.assert_close(network(x, network.prepare(c)), expected, **close)

    def test_any_number_of_batch_dimensions(self) -> None:
        network = made_ready(ConvConditioner(4, 6, hidden_channels=5, context_channels=5)).eval()
        data, context = self.maps(4, 2, 2, 3), self.maps(5, 2, 2, 3)
        for grad in (True, False):
            with torch.set_grad_enabled(grad):
                got = network(data, network.prepare(context))
                flat = as_one_convolution(network, torch.cat([data.dense(), context.dense()], -3).flatten(0, 1))
            torch.testing.assert_close(got.flatten(0, 1), flat)

    def test_a_context_of_one_sample_serves_a_batch(self) -> None:
        network = made_ready(ConvConditioner(4, 6, hidden_channels=5, context_channels=5)).float().eval()
        context = MixedResolution(*(m.float() for m in self.maps(5, 2, 1)))
        x = torch.rand(3, 4, 4, 6)
        expected = as_one_convolution(network, torch.cat([x, context.dense().expand(3, -1, -1, -1)], 1))
        with torch.no_grad():
            torch.testing.assert_close(network(x, network.prepare(context)), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("channels", [3, 5])
@pytest.mark.parametrize("grad", [True, False])
def test_data_of_another_number_of_channels_is_refused_by_its_convolution(channels: int, grad: bool) -> None:
    network = made_ready(ConvConditioner(4, 6, hidden_channels=5)).eval()
    with torch.set_grad_enabled(grad), pytest.raises(RuntimeError, match=f"to have 4 channels, but got {channels}"):
        network(torch.rand(1, channels, 4, 4).double(), network.prepare(None))


def test_what_was_prepared_without_gradients_serves_with_them() -> None:
    network = made_ready(ConvConditioner(2, 6, hidden_channels=5, context_channels=3)).float().eval()
    x, context = torch.rand(4, 2, 3, 5, requires_grad=True), torch.rand(4, 3, 3, 5)
    with torch.no_grad():
        prepared = network.prepare(context)
    network(x, prepared).square().sum().backward()
    got = [x.grad, network.conv2.weight.grad, network.norm1.log_scale.grad]
    x.grad = None
    network.zero_grad()
    as_one_convolution(network, torch.cat([x, context], 1)).square().sum().backward()
    for one, other in zip(got, [x.grad, network.conv2.weight.grad, network.norm1.log_scale.grad], strict=True):
        torch.testing.assert_close(one, other, atol=1e-3, rtol=1e-4)


def test_evaluation_follows_the_parameters() -> None:
    network = made_ready(ConvConditioner(2, 6, hidden_channels=5, context_channels=3)).float().eval()
    x, context = torch.rand(4, 2, 3, 5), torch.rand(4, 3, 3, 5)
    for parameter in [None, *network.parameters()]:
        with torch.no_grad():
            if parameter is not None:
                parameter.mul_(1.5).add_(0.1)
            expected = as_one_convolution(network, torch.cat([x, context], 1))
            torch.testing.assert_close(network(x, network.prepare(context)), expected, atol=1e-4, rtol=1e-4)
