import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.nn.scaled_kernel import ScaledKernel

from .convolutions import assert_alike, operands

CLOSE = 1e-12


def given(one_row: bool) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    x, weight = operands(4, 5)
    generator = torch.Generator().manual_seed(1)
    factors = torch.rand(1 if one_row else len(weight), 3, generator=generator, dtype=torch.float64)
    bias = torch.rand(len(weight), generator=generator, dtype=torch.float64)
    return x, weight, factors.requires_grad_(), bias.requires_grad_()


def plain(x: Tensor, weight: Tensor, factors: Tensor, bias: Tensor) -> Tensor:
    return F.conv2d(x, weight * factors[..., None, None], bias, padding=1)


def scaled(x: Tensor, weight: Tensor, factors: Tensor, bias: Tensor) -> Tensor:
    return ScaledKernel(weight, factors, bias)(x)


@pytest.mark.parametrize("one_row", [True, False])
def test_it_is_the_convolution_by_the_product_and_so_are_its_gradients(one_row: bool) -> None:
    inputs = given(one_row)
    assert_alike(scaled(*inputs), plain(*inputs), inputs, CLOSE, CLOSE)


@pytest.mark.parametrize("frozen", range(4))
def test_any_of_them_may_need_no_gradient(frozen: int) -> None:
    inputs = given(False)
    inputs[frozen].requires_grad_(False)
    others = tuple(t for t in inputs if t.requires_grad)
    assert_alike(scaled(*inputs), plain(*inputs), others, CLOSE, CLOSE)


def test_addition_rectifying_and_padding() -> None:
    x, weight, factors, bias = given(True)
    kernel = weight[..., :1, :1]
    got = ScaledKernel(kernel, factors, bias, padding=(0, 0))(x, add=bias.view(-1, 1, 1), slope=0.0)
    expected = F.conv2d(x, kernel * factors[..., None, None], 2 * bias).relu()
    assert_alike(got, expected, (x, weight, factors, bias), CLOSE, CLOSE)


def test_derivatives_of_any_order_and_mode() -> None:
    x, weight, factors, bias = given(True)
    inputs = (x[:1, :2, :2, :2], weight[:2, :2], factors[:, :2], bias[:2])
    assert torch.autograd.gradcheck(scaled, inputs, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(scaled, inputs)


def test_under_vmap_and_compile() -> None:
    x, weight, factors, bias = given(False)
    rows = torch.stack([factors, 2 * factors])
    expected = torch.stack([plain(x, weight, each, bias) for each in rows])
    mapped = torch.vmap(scaled, (None, None, 0, None))(x, weight, rows, bias)
    torch.testing.assert_close(mapped, expected, atol=CLOSE, rtol=CLOSE)
    rectified = torch.vmap(lambda each: ScaledKernel(weight, each, bias)(x, slope=0.0))(rows)
    torch.testing.assert_close(rectified, expected.relu(), atol=CLOSE, rtol=CLOSE)
    assert_alike(
        torch.compile(scaled, fullgraph=True)(x, weight, factors, bias), expected[0], (weight, factors), CLOSE, CLOSE
    )


def test_under_autocast_gradients_have_the_parameters_precision() -> None:
    x, weight, factors, bias = (t.detach().float().requires_grad_() for t in given(False))
    with torch.autocast("cpu", torch.bfloat16):
        got = scaled(x, weight, factors, bias)
        expected = plain(x, weight, factors, bias)
    assert got.dtype == torch.bfloat16
    torch.testing.assert_close(got, expected)
    for one, other in zip(
        torch.autograd.grad(got.sum(), (weight, factors)),
        torch.autograd.grad(expected.sum(), (weight, factors)),
        strict=True,
    ):
        assert one.dtype == torch.float32
        torch.testing.assert_close(one, other)


def kept_of(x: Tensor, weight: Tensor, factors: Tensor, bias: Tensor) -> list[Tensor]:
    """What is kept for the gradients, of the kernel's shape and not the kernel."""
    kept: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        scaled(x, weight, factors, bias)
    return [t for t in kept if t.shape == weight.shape and t.data_ptr() != weight.data_ptr()]


def test_the_product_is_not_kept_but_beside_large_images() -> None:
    x, weight, factors, bias = given(False)
    assert not kept_of(x, weight, factors, bias)
    large = x.repeat(1, 1, 6, 6)
    assert kept_of(large, weight, factors, bias)
    inputs = (large.detach().requires_grad_(), weight, factors, bias)
    assert_alike(scaled(*inputs), plain(*inputs), inputs, CLOSE, CLOSE)
