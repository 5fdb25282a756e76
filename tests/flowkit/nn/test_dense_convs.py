from collections.abc import Sequence

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.autograd import forward_ad

from flowkit.nn import dense_convs as module
from flowkit.nn.dense_convs import dense_convolutions
from flowkit.nn.kernel import Kernel

from .convolutions import assert_alike, assert_batched_gradients_agree

SLOPE = 0.2


@pytest.fixture
def always_by_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("FEWEST_TILES", "FEWEST_CHANNELS", "FEWEST_ADDED"):
        monkeypatch.setattr(module, name, 1)
    monkeypatch.setattr(module, "MOST_OVERHANG", 16)
    monkeypatch.setattr(module, "mkl_is_slow", lambda: False)


def operands(height: int, width: int, sizes: Sequence[int] = (2, 3, 4), seed: int = 0) -> tuple[Tensor, ...]:
    """Two images of 3 channels, then weights, then biases, in float64."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, dtype=torch.float64, generator=generator).requires_grad_()

    seen = [3 + sum(sizes[:i]) for i in range(len(sizes))]
    weights = [normal(size, channels, 3, 3) for size, channels in zip(sizes, seen, strict=True)]
    return normal(2, 3, height, width), *weights, *(normal(size) for size in sizes)


def kernels_of(weights_and_biases: Sequence[Tensor]) -> list[Kernel]:
    half = len(weights_and_biases) // 2
    return [Kernel(*pair) for pair in zip(weights_and_biases[:half], weights_and_biases[half:], strict=True)]


def dense(x: Tensor, *weights_and_biases: Tensor) -> Tensor:
    return dense_convolutions(x, kernels_of(weights_and_biases), SLOPE)


def concatenated(x: Tensor, *weights_and_biases: Tensor) -> Tensor:
    """The other way of the module, for which nothing but the order in memory differs from :func:`plain`."""
    return module._one_by_one(x, kernels_of(weights_and_biases), SLOPE)


def plain(x: Tensor, *weights_and_biases: Tensor) -> Tensor:
    half = len(weights_and_biases) // 2
    seen = x
    for weight, bias in zip(weights_and_biases[: half - 1], weights_and_biases[half:], strict=False):
        seen = torch.cat([seen, F.leaky_relu(F.conv2d(seen, weight, bias, padding=1), SLOPE)], 1)
    return F.conv2d(seen, weights_and_biases[half - 1], weights_and_biases[-1], padding=1)


def by_tiles(y: Tensor) -> bool:
    return type(y.grad_fn).__name__ == "_DenseConvolutionsBackward"


@pytest.mark.usefixtures("always_by_tiles")
class TestByTiles:
    @pytest.mark.parametrize("sizes", [(2,), (2, 3), (4, 1, 2, 3)])
    def test_each_convolution_sees_all_before_it_and_so_do_gradients(self, sizes: tuple[int, ...]) -> None:
        tensors = operands(8, 12, sizes)
        got = dense(*tensors)
        assert by_tiles(got)
        assert_alike(got, plain(*tensors), tensors, 1e-10, 1e-9)

    def test_images_of_any_size(self) -> None:
        @settings(deadline=None)
        @given(st.integers(1, 10), st.integers(1, 10), st.integers(0, 1000))
        def check(height: int, width: int, seed: int) -> None:
            tensors = operands(height, width, seed=seed)
            assert_alike(dense(*tensors), plain(*tensors), tensors, 1e-10, 1e-9)

        check()

    def test_an_image_in_other_order_in_memory(self) -> None:
        x, *rest = operands(8, 8)
        last = x.detach().contiguous(memory_format=torch.channels_last).requires_grad_()
        assert_alike(dense(last, *rest), plain(last, *rest), (last, *rest), 1e-10, 1e-9)

    def test_some_parameters_alone_are_trained(self) -> None:
        tensors = operands(5, 6)
        for i, tensor in enumerate(tensors):
            tensor.requires_grad_(i in (2, 6))
        assert_alike(dense(*tensors), plain(*tensors), (tensors[2], tensors[6]), 1e-10, 1e-9)

    def test_second_derivatives(self) -> None:
        tensors = operands(4, 5, sizes=(2, 2))

        def of_gradients(f: object) -> tuple[Tensor, ...]:
            assert callable(f)
            firsts = torch.autograd.grad(f(*tensors).square().sum(), tensors, create_graph=True)
            return torch.autograd.grad(sum(first.square().sum() for first in firsts), tensors)

        for got, expected in zip(of_gradients(dense), of_gradients(plain), strict=True):
            torch.testing.assert_close(got, expected, atol=1e-6, rtol=1e-9)

    def test_batched_gradients(self) -> None:
        tensors = operands(4, 5, sizes=(2, 2))
        assert_batched_gradients_agree(dense(*tensors), plain(*tensors), tensors, 1e-9)

    def test_in_single_precision_it_rounds_little_more_than_a_convolution(self) -> None:
        tensors = operands(20, 20, sizes=(32, 32, 64))
        single = [tensor.float() for tensor in tensors]
        exact = plain(*tensors)
        got = dense(*single)
        assert by_tiles(got)
        # The points of Winograd's method were chosen for 6 times the rounding of one convolution.
        assert (got - exact).norm() < 10 * (plain(*single) - exact).norm()

    def test_what_torch_func_maps_and_forward_derivatives_are_convolved_plainly(self) -> None:
        x, *rest = operands(4, 8)
        tangent = torch.ones_like(x)
        expected = torch.func.jvp(lambda x: plain(x, *rest), (x,), (tangent,))[1]
        torch.testing.assert_close(torch.func.jvp(lambda x: dense(x, *rest), (x,), (tangent,))[1], expected)
        with forward_ad.dual_level():
            dual = forward_ad.make_dual(x, tangent)
            torch.testing.assert_close(forward_ad.unpack_dual(dense(dual, *rest)).tangent, expected)
        mapped = torch.func.vmap(lambda one: dense(one[None], *rest)[0])(x)
        torch.testing.assert_close(mapped, plain(x, *rest))

    def test_without_gradients_under_autocast_and_with_other_kernels_it_convolves_plainly(self) -> None:
        tensors = operands(8, 8)
        with torch.no_grad():
            assert torch.equal(dense(*tensors), concatenated(*tensors))
        with torch.autocast("cpu", torch.bfloat16):
            single = [tensor.float() for tensor in tensors]
            assert torch.equal(dense(*single), concatenated(*single))
        pointwise = Kernel(torch.rand(2, 3, 1, 1, dtype=torch.float64).requires_grad_(), padding=(0, 0))
        assert not by_tiles(dense_convolutions(tensors[0], [pointwise], SLOPE))


class TestWhereItPays:
    @pytest.mark.parametrize(
        ("batch", "side", "added", "pays"),
        [
            (4, 16, 32, True),
            (8, 20, 32, True),
            (3, 16, 32, False),  # 48 tiles
            (8, 17, 32, False),  # blocks for 20 x 20
            (4, 16, 16, False),
        ],
    )
    def test_for_many_tiles_that_fit_the_image_and_wide_kernels(
        self, batch: int, side: int, added: int, pays: bool, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(module, "mkl_is_slow", lambda: False)
        weight = torch.rand(added, 64, 3, 3, requires_grad=True)
        y = dense_convolutions(torch.rand(batch, 64, side, side), [Kernel(weight, torch.rand(added))], SLOPE)
        assert by_tiles(y) == pays

    def test_not_where_matrix_products_are_slow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "mkl_is_slow", lambda: True)
        weight = torch.rand(32, 64, 3, 3, requires_grad=True)
        assert not by_tiles(dense_convolutions(torch.rand(8, 64, 20, 20), [Kernel(weight, torch.rand(32))], SLOPE))
