import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from flowkit.nn import winograd
from flowkit.nn.winograd import WinogradKernel, image_tiles, kernel_tiles

from .convolutions import assert_alike, operands


def convolved(x: Tensor, weight: Tensor) -> Tensor:
    return WinogradKernel(weight)(image_tiles(x), x.shape[-2], x.shape[-1])


@settings(deadline=None)
@given(st.integers(1, 10), st.integers(1, 10), st.integers(1, 4), st.integers(0, 1000))
def test_it_is_the_convolution_and_so_are_its_gradients(height: int, width: int, channels: int, seed: int) -> None:
    x, weight = operands(height, width, channels, seed)
    # The transforms multiply by numbers up to some tens, and take differences of what comes out.
    assert_alike(convolved(x, weight), F.conv2d(x, weight, padding=1), (x, weight), 1e-11, 1e-10)


def test_derivatives_of_any_order_and_mode() -> None:
    x, weight = operands(3, 5, channels=2)
    assert torch.autograd.gradcheck(convolved, (x[:1], weight[:2]), check_forward_ad=True)
    assert torch.autograd.gradgradcheck(convolved, (x[:1, :, :2, :2], weight[:1]))


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
    # Seven of the 24 tiles at a time.
    monkeypatch.setattr(winograd, "SCRATCH", 7 * 36 * 5)
    got = convolved(x, weight)
    torch.testing.assert_close(got, expected)
    for one, other in zip(torch.autograd.grad(got, (x, weight), direction), of_whole, strict=True):
        torch.testing.assert_close(one, other)
    with torch.no_grad():
        packed = WinogradKernel(weight).packed()
        torch.testing.assert_close(packed(image_tiles(x), 13, 9), expected)


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
    winograd._kept_matrices.cache_clear()
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

    # Measured are 4 times the plain one's 2e-7, of results of about 1; 7 times from 320 channels.
    assert off(convolved(x, weight)) < 12 * off(F.conv2d(x, weight, padding=1))


def test_autocast_leaves_it_in_float32() -> None:
    x, weight = (t.detach().float() for t in operands(8, 8))
    tiles, expected = image_tiles(x), F.conv2d(x, weight, padding=1)
    with torch.autocast("cpu", torch.bfloat16):
        got = WinogradKernel(weight)(tiles, 8, 8)
    torch.testing.assert_close(got, expected, atol=1e-4, rtol=1e-4)


def test_other_kernels_are_refused() -> None:
    with pytest.raises(ValueError, match=r"3x3 kernel, got one of shape \(2, 3, 1, 1\)"):
        WinogradKernel(torch.rand(2, 3, 1, 1))
    with pytest.raises(ValueError, match="3x3 kernel"):
        kernel_tiles(torch.rand(2, 3, 5, 5))
