import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad

from flowkit.nn import convolution as module
from flowkit.nn.convolution import convolution
from flowkit.nn.kernel import Kernel
from flowkit.nn.scaled_kernel import ScaledKernel

from .convolutions import assert_alike, assert_batched_gradients_agree, operands


@pytest.fixture(autouse=True)
def everything_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LARGE", 1)


def tensors() -> tuple[Tensor, Tensor, Tensor]:
    x, weight = operands(5, 6)
    return x, weight, torch.randn(5, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).requires_grad_()


def plain(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(x, weight, bias, padding=1)


def summed_apart(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return convolution(x, weight, bias, (1, 1))


def test_it_is_the_convolution_and_so_are_its_gradients() -> None:
    x, weight, bias = tensors()
    # Sums in another order.
    assert_alike(summed_apart(x, weight, bias), plain(x, weight, bias), (x, weight, bias), 1e-14, 1e-12)


def test_what_rectifies_in_place_may_follow() -> None:
    x, weight, bias = tensors()
    assert_alike(summed_apart(x, weight, bias).relu_(), plain(x, weight, bias).relu(), (x, weight, bias), 1e-14, 1e-12)


@pytest.mark.parametrize("trained", [(True, False, False), (False, True, False), (False, False, True)])
def test_with_one_gradient_alone(trained: tuple[bool, ...]) -> None:
    three = [t.detach().requires_grad_(it) for t, it in zip(tensors(), trained, strict=True)]
    wanted = tuple(t for t in three if t.requires_grad)
    assert_alike(summed_apart(*three), plain(*three), wanted, 1e-14, 1e-12)


def test_second_derivatives() -> None:
    assert torch.autograd.gradgradcheck(summed_apart, tensors())


def test_forward_derivatives() -> None:
    x, weight, bias = tensors()
    with forward_ad.dual_level():
        duals = [forward_ad.make_dual(t.detach(), torch.ones_like(t)).requires_grad_() for t in (x, weight, bias)]
        got, expected = (forward_ad.unpack_dual(f(*duals)).tangent for f in (summed_apart, plain))
    assert got is not None
    assert expected is not None
    torch.testing.assert_close(got, expected, atol=1e-12, rtol=1e-12)


def test_batched_gradients() -> None:
    x, weight, bias = tensors()
    assert_batched_gradients_agree(summed_apart(x, weight, bias), plain(x, weight, bias), (x, weight, bias), 1e-12)


def test_functional_transforms() -> None:
    x, weight, bias = tensors()

    def loss(bias: Tensor, sample: Tensor) -> Tensor:
        return summed_apart(sample[None], weight, bias).square().sum()

    of_each = torch.func.vmap(torch.func.grad(loss), (None, 0))(bias, x)
    expected = 2 * plain(x, weight, bias).sum((-2, -1))
    torch.testing.assert_close(of_each, expected, atol=1e-12, rtol=1e-12)


def test_of_large_results_pytorch_sums_the_biass_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    weight, bias = torch.rand(16, 1, 3, 3), torch.rand(16, requires_grad=True)
    large, small = (convolution(torch.rand(1, 1, side, 256), weight, bias, (1, 1)) for side in (256, 255))
    assert type(large.grad_fn) is not type(small.grad_fn)
    assert "Convolution" in type(small.grad_fn).__name__


class TestPointwise:
    @pytest.fixture(autouse=True)
    def nothing_is_large(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "LARGE", 2**20)

    @staticmethod
    def tensors() -> tuple[Tensor, Tensor, Tensor]:
        x, weight, bias = tensors()
        return x, weight[:, :, :1, :1].detach().requires_grad_(), bias

    def test_it_is_a_matrix_product_and_so_are_its_gradients(self) -> None:
        x, weight, bias = self.tensors()
        got = convolution(x, weight, bias, (0, 0))
        assert "Convolution" not in type(got.grad_fn.next_functions[0][0]).__name__  # type: ignore[union-attr]
        assert_alike(got, F.conv2d(x, weight, bias), (x, weight, bias), 1e-13, 1e-12)
        assert_alike(convolution(x, weight, None, (0, 0)), F.conv2d(x, weight), (x, weight), 1e-13, 1e-12)

    @pytest.mark.parametrize("kept", [True, False])
    def test_batched_gradients(self, kept: bool) -> None:
        x, weight, bias = self.tensors()
        kernel = Kernel(weight, bias, (0, 0)) if kept else ScaledKernel(weight, torch.ones(1, 3).double(), bias, (0, 0))
        assert_batched_gradients_agree(kernel(x), F.conv2d(x, weight, bias), (x, weight, bias), 1e-12)

    def test_its_result_lies_in_memory_as_a_convolutions_does(self) -> None:
        x, weight, bias = self.tensors()
        y = convolution(x.contiguous(memory_format=torch.channels_last), weight, bias, (0, 0))
        assert y.is_contiguous(memory_format=torch.channels_last)

    def test_with_zeros_around_it_is_none(self) -> None:
        x, weight, bias = self.tensors()
        y = convolution(x, weight, bias, (1, 1))
        assert torch.equal(y, F.conv2d(x, weight, bias, padding=1))

    def test_a_kernel_rectifies_it(self) -> None:
        x, weight, bias = self.tensors()
        got = Kernel(weight, bias, padding=(0, 0))(x, slope=0.2)
        assert_alike(got, F.leaky_relu(F.conv2d(x, weight, bias), 0.2), (x, weight, bias), 1e-13, 1e-12)

    def test_functional_transforms(self) -> None:
        x, weight, bias = self.tensors()
        mapped = torch.func.vmap(lambda one: convolution(one[None], weight, bias, (0, 0))[0])(x)
        torch.testing.assert_close(mapped, F.conv2d(x, weight, bias), atol=1e-13, rtol=1e-13)
