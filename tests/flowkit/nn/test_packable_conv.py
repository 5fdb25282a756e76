import copy
import pickle

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.nn import PackableConv2d, PackedConvs
from flowkit.nn.kernel import ConvKernel, Kernel, PackedKernel, can_pack

# Sums of some dozen products in another order.
CLOSE = {"atol": 1e-5, "rtol": 1e-5}


def expected(layer: PackableConv2d, x: Tensor, slope: float | None) -> Tensor:
    y = F.conv2d(x, layer.weight, layer.bias, padding=layer.padding)  # type: ignore[arg-type]
    return y if slope is None else F.leaky_relu(y, slope)


@pytest.mark.parametrize("slope", [None, 0.0, 0.2])
@pytest.mark.parametrize("side", [1, 3])
@pytest.mark.parametrize("grad", [False, True])
def test_it_is_the_convolution_and_the_activation(slope: float | None, side: int, grad: bool) -> None:
    layer, x = PackableConv2d(4, 5, side).eval(), torch.randn(2, 4, 6, 7)
    with torch.set_grad_enabled(grad):
        torch.testing.assert_close(layer(x, slope), expected(layer, x, slope), **CLOSE)


def test_gradients_are_those_of_the_plain_layer() -> None:
    layer = PackableConv2d(4, 5, 3).double()
    x = torch.randn(2, 4, 6, 7).double().requires_grad_()
    got = torch.autograd.grad(layer(x, 0.2).square().sum(), (x, *layer.parameters()))
    plain = torch.autograd.grad(expected(layer, x, 0.2).square().sum(), (x, *layer.parameters()))
    for one, other in zip(got, plain, strict=True):
        torch.testing.assert_close(one, other)


def test_it_loads_and_saves_as_the_plain_layer() -> None:
    plain, layer = nn.Conv2d(4, 5, 3, padding=1), PackableConv2d(4, 5, 3).eval()
    x = torch.randn(2, 4, 6, 7)
    with torch.no_grad():
        layer(x)
        layer.load_state_dict(plain.state_dict())
        torch.testing.assert_close(layer(x), plain(x), **CLOSE)


def test_autocast_and_compile() -> None:
    layer, x = PackableConv2d(4, 5, 3).eval(), torch.randn(2, 4, 6, 7)
    with torch.no_grad():
        plain = layer(x)
        with torch.autocast("cpu", torch.bfloat16):
            half = layer(x)
        assert half.dtype == torch.bfloat16
        # bfloat16 has eight bits of precision.
        torch.testing.assert_close(half.float(), plain, atol=0.05, rtol=0.05)
        torch.testing.assert_close(torch.compile(layer, fullgraph=True)(x), plain, **CLOSE)


def test_a_kernel_of_even_size_is_refused() -> None:
    with pytest.raises(ValueError, match="kernel_size is 2"):
        PackableConv2d(1, 1, 2)


class TestPackedKernel:
    def kernel(self) -> Kernel:
        return Kernel(torch.randn(5, 4, 3, 3), torch.randn(5))

    @pytest.mark.parametrize("slope", [None, 0.0, 0.2])
    @pytest.mark.parametrize("batch", [1, 3])
    def test_what_is_added(self, slope: float | None, batch: int) -> None:
        kernel, x, add = self.kernel(), torch.randn(3, 4, 6, 7), torch.randn(batch, 5, 6, 7)
        with torch.no_grad():
            torch.testing.assert_close(PackedKernel(kernel)(x, add, slope), kernel(x, add, slope), **CLOSE)

    @pytest.mark.parametrize("shape", [(3, 5, 6, 1), (3, 5, 7, 6), (2, 5, 6, 7), (3, 1, 6, 7)])
    def test_what_does_not_fit_is_refused(self, shape: tuple[int, ...]) -> None:
        # oneDNN would read memory that is not the tensor's.
        with torch.no_grad(), pytest.raises(ValueError, match="to be added"):
            PackedKernel(self.kernel())(torch.randn(3, 4, 6, 7), torch.randn(shape))

    def test_sizes_in_turn(self) -> None:
        # Each has an order in memory of its own: the wrong one is slow, and was used at first.
        kernel = self.kernel()
        packed = PackedKernel(kernel)
        with torch.no_grad():
            for size in [(64, 64), (1, 1), (3, 40), (64, 64), (8, 8)]:
                x = torch.randn(2, 4, *size)
                torch.testing.assert_close(packed(x), kernel(x), **CLOSE)

    def test_copies_and_pickles(self) -> None:
        kernel, x = self.kernel(), torch.randn(1, 4, 6, 7)
        packed: ConvKernel = PackedKernel(kernel)
        with torch.no_grad():
            for twin in (copy.deepcopy(packed), pickle.loads(pickle.dumps(packed))):
                torch.testing.assert_close(twin(x), kernel(x), **CLOSE)

    def test_where_it_works(self) -> None:
        weight = torch.randn(5, 4, 3, 3)
        assert can_pack(weight) == torch.backends.mkldnn.is_available()
        assert not can_pack(weight.double())
        with torch.autocast("cpu", torch.bfloat16):
            assert not can_pack(weight)


class TestPackedConvs:
    def network(self) -> nn.Sequential:
        return nn.Sequential(PackableConv2d(4, 5, 3), nn.Sequential(PackableConv2d(5, 2, 1, bias=False))).eval()

    def run(self, network: nn.Sequential, convs: PackedConvs, x: Tensor) -> Tensor:
        for layer in network.modules():
            if isinstance(layer, PackableConv2d):
                x = layer(x, kernel=convs.get(x)[layer])
        return x

    def test_they_follow_the_parameters(self) -> None:
        network, x = self.network(), torch.randn(2, 4, 6, 7)
        convs = PackedConvs(network)
        with torch.no_grad():
            for change in (
                lambda: None,
                lambda: network[0].weight.mul_(2.0),
                lambda: network[1][0].weight.data.add_(1.0),
            ):
                change()
                torch.testing.assert_close(self.run(network, convs, x), network(x), **CLOSE)
            first = convs.get(x)
            assert convs.get(x) is first
            network[0].bias.zero_()
            assert convs.get(x) is not first

    def test_there_are_none_in_training_and_with_gradients(self) -> None:
        network, x = self.network(), torch.randn(2, 4, 6, 7)
        assert not PackedConvs(network).get(x)
        with torch.no_grad():
            assert PackedConvs(network).get(x)
            assert not PackedConvs(network.train()).get(x)

    def test_a_copy_has_its_own(self) -> None:
        holder = self.network()
        holder.convs = PackedConvs(holder)  # type: ignore[assignment]
        twin, x = copy.deepcopy(holder), torch.randn(2, 4, 6, 7)
        with torch.no_grad():
            twin[0].weight.zero_()
            assert set(twin.convs.get(x)) == {twin[0], twin[1][0]}
            torch.testing.assert_close(self.run(twin, twin.convs, x), twin(x), **CLOSE)
