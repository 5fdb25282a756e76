import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from flowkit.nn import winograd_kernel, winograd_matrices
from flowkit.nn.winograd import image_tiles
from flowkit.nn.winograd_kernel import WinogradKernel

from .convolutions import assert_alike, enlarged, operands


def kernel_of(weight: Tensor, bias: Tensor | None = None) -> WinogradKernel:
    return WinogradKernel([weight], [bias])


def convolved(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    (image,) = kernel_of(weight, bias)(image_tiles(x), None, x.shape[-2], x.shape[-1])
    return image


def tiles_of_both(fine: Tensor, coarse: Tensor, factor: int) -> tuple[Tensor, Tensor | None]:
    """Fine channels at all places, coarse ones at the first."""
    tiles, first = image_tiles(fine), image_tiles(coarse, factor)
    needed = len(first)
    return torch.cat([tiles[:needed], first], -1), tiles[needed:] if needed < 36 else None


@settings(deadline=None)
@given(st.integers(1, 10), st.integers(1, 10), st.integers(1, 4), st.integers(0, 1000))
def test_it_is_the_convolution_and_so_are_its_gradients(height: int, width: int, channels: int, seed: int) -> None:
    x, weight = operands(height, width, channels, seed)
    # The transforms multiply by numbers up to some tens, and take differences of what comes out.
    assert_alike(convolved(x, weight), F.conv2d(x, weight, padding=1), (x, weight), 1e-11, 1e-10)


@settings(deadline=None)
@given(st.sampled_from([2, 4]), st.integers(1, 5), st.integers(1, 5), st.integers(1, 3), st.integers(0, 1000))
def test_fine_and_enlarged_channels_together(factor: int, height: int, width: int, fine: int, seed: int) -> None:
    coarse, _ = operands(height, width, channels=2, seed=seed)
    x, weight = operands(factor * height, factor * width, channels=fine + 2, seed=seed + 1)
    both = torch.cat([x[:, :fine], enlarged(coarse, factor)], 1)
    (got,) = kernel_of(weight)(*tiles_of_both(x[:, :fine], coarse, factor), *both.shape[-2:])
    assert_alike(got, F.conv2d(both, weight, padding=1), (x, coarse, weight), 1e-11, 1e-10)


def several(x: Tensor, weight: Tensor, bias: Tensor) -> list[Tensor]:
    """Two kernels, one of them with a bias, by the same products."""
    return WinogradKernel([weight[:2], weight[2:]], [None, bias])(image_tiles(x), None, *x.shape[-2:])


def test_several_kernels_make_an_image_each() -> None:
    x, weight = operands(9, 6)
    bias = torch.randn(3, dtype=torch.float64).requires_grad_()
    expected = F.conv2d(x, weight[:2], padding=1), F.conv2d(x, weight[2:], bias, padding=1)
    for got, image in zip(several(x, weight, bias), expected, strict=True):
        torch.testing.assert_close(got, image, atol=1e-11, rtol=1e-11)
    assert_alike(torch.cat(several(x, weight, bias), 1), torch.cat(expected, 1), (x, weight, bias), 1e-11, 1e-10)
    with torch.no_grad():
        packed = WinogradKernel([weight[:2], weight[2:]], [None, bias]).packed()
        for got, image in zip(packed(image_tiles(x), None, 9, 6), expected, strict=True):
            torch.testing.assert_close(got, image, atol=1e-11, rtol=1e-11)


def test_derivatives_of_any_order_and_mode_of_several_kernels() -> None:
    x, weight = operands(2, 3, channels=1)
    inputs = (x[:1], weight[:3], torch.randn(1, dtype=torch.float64).requires_grad_())
    assert torch.autograd.gradcheck(several, inputs, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(several, inputs)


def test_a_bias_that_is_mapped_alone() -> None:
    x, weight = operands(5, 6)
    biases = torch.randn(4, 5, dtype=torch.float64)
    got = torch.vmap(convolved, (None, None, 0))(x, weight, biases)
    expected = F.conv2d(x, weight, padding=1) + biases[:, None, :, None, None]
    torch.testing.assert_close(got, expected, atol=1e-11, rtol=1e-11)


def test_enlarged_channels_alone() -> None:
    coarse, weight = operands(3, 4)
    (got,) = kernel_of(weight)(image_tiles(coarse, 4), None, 12, 16)
    assert_alike(got, F.conv2d(enlarged(coarse, 4), weight, padding=1), (coarse, weight), 1e-11, 1e-10)


def test_derivatives_of_any_order_and_mode() -> None:
    x, weight = operands(3, 5, channels=2)
    assert torch.autograd.gradcheck(convolved, (x[:1], weight[:2]), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(convolved, (x[:1, :, :2, :2], weight[:1]))


def test_derivatives_of_any_order_and_mode_with_enlarged_channels() -> None:
    x, weight = operands(2, 4, channels=2)
    coarse, _ = operands(1, 2, channels=1)

    def together(fine: Tensor, coarse: Tensor, weight: Tensor) -> Tensor:
        (image,) = kernel_of(weight)(*tiles_of_both(fine, coarse, 2), 2, 4)
        return image

    inputs = (x[:1, :1], coarse[:1], weight[:1])
    assert torch.autograd.gradcheck(together, inputs, check_forward_ad=True)
    assert torch.autograd.gradgradcheck(together, inputs)


@pytest.mark.parametrize("frozen", ["image", "kernel"])
def test_either_may_need_no_gradient(frozen: str) -> None:
    x, weight = operands(6, 5)
    wanted = weight if frozen == "image" else x
    (x if frozen == "image" else weight).requires_grad_(False)
    (got,) = torch.autograd.grad(convolved(x, weight).square().sum(), wanted)
    (expected,) = torch.autograd.grad(F.conv2d(x, weight, padding=1).square().sum(), wanted)
    torch.testing.assert_close(got, expected, atol=1e-9, rtol=1e-9)


def test_any_number_of_batch_dimensions() -> None:
    x, weight = operands(5, 6)
    many = torch.stack([x, 2 * x, 3 * x])
    torch.testing.assert_close(convolved(many, weight)[1], F.conv2d(2 * x, weight, padding=1), atol=1e-11, rtol=1e-11)


def test_large_images_go_through_in_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    x, weight = operands(13, 9)
    expected = convolved(x, weight)
    direction = torch.randn_like(expected)
    of_whole = torch.autograd.grad(expected, (x, weight), direction)
    # Seven of the 24 tiles at a time; there are three to a line.
    monkeypatch.setattr(winograd_kernel, "SCRATCH", 7 * 36 * 5)
    monkeypatch.setattr(winograd_kernel, "SCRATCH_BACKWARD", 7 * 36 * 5)
    got = convolved(x, weight)
    torch.testing.assert_close(got, expected)
    for one, other in zip(torch.autograd.grad(got, (x, weight), direction), of_whole, strict=True):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        torch.testing.assert_close(kernel_of(weight).packed()(image_tiles(x), None, 13, 9), [expected])


@pytest.mark.parametrize("many", [1, 1000])
def test_for_inference_the_transformed_kernel_is_kept_unless_there_are_many_tiles(
    monkeypatch: pytest.MonkeyPatch, many: int
) -> None:
    monkeypatch.setattr(winograd_kernel, "MANY", many)
    x, weight = operands(6, 5)
    with torch.no_grad():
        tiles, kernel, expected = image_tiles(x), kernel_of(weight).packed(), F.conv2d(x, weight, padding=1)
        torch.testing.assert_close(kernel(tiles, None, 6, 5), [expected], atol=1e-11, rtol=1e-11)
        weight.mul_(2)
        again = kernel(tiles, None, 6, 5)
    torch.testing.assert_close(again, [2 * expected if many == 1 else expected], atol=1e-11, rtol=1e-11)


def test_under_vmap_and_compile() -> None:
    x, weight = operands(5, 6)
    weights = torch.stack([weight, 2 * weight])
    expected = torch.stack([F.conv2d(x, w, padding=1) for w in weights])
    torch.testing.assert_close(torch.vmap(convolved, (None, 0))(x, weights), expected, atol=1e-11, rtol=1e-11)
    compiled = torch.compile(convolved, fullgraph=True)
    got = compiled(x, weight)
    torch.testing.assert_close(got, expected[0], atol=1e-11, rtol=1e-11)
    (of_weight,) = torch.autograd.grad(got.square().sum(), weight)
    (by_hand,) = torch.autograd.grad(expected[0].square().sum(), weight)
    torch.testing.assert_close(of_weight, by_hand, atol=1e-9, rtol=1e-9)


def test_what_was_first_made_in_inference_mode_serves_with_gradients() -> None:
    winograd_matrices._kept_matrices.cache_clear()
    x, weight = operands(4, 4)
    with torch.inference_mode():
        convolved(x, weight)
    convolved(x, weight).sum().backward()
    assert x.grad is not None


@pytest.mark.parametrize("channels", [64, 320])
def test_float32_rounds_little_more_than_a_plain_convolution(channels: int) -> None:
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, channels, 24, 24, generator=generator)
    weight = torch.randn(32, channels, 3, 3, generator=generator) / (9 * channels) ** 0.5
    exact = F.conv2d(x.double(), weight.double(), padding=1)

    def off(y: Tensor) -> float:
        return (y - exact).square().mean().sqrt().item()

    # Measured are 6 times the plain one's 2e-7, of results of about 1; 11 times from 320 channels.
    assert off(convolved(x, weight)) < 16 * off(F.conv2d(x, weight, padding=1))


def test_autocast_leaves_it_in_float32() -> None:
    x, weight = (t.detach().float() for t in operands(8, 8))
    tiles, expected = image_tiles(x), F.conv2d(x, weight, padding=1)
    with torch.autocast("cpu", torch.bfloat16):
        (got,) = kernel_of(weight)(tiles, None, 8, 8)
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_other_kernels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"3x3 kernel, got one of shape \(2, 3, 1, 1\)"):
        kernel_of(torch.rand(2, 3, 1, 1))
