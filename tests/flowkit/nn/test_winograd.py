import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flowkit.nn.winograd import image_tiles, kernel_tiles
from flowkit.nn.winograd_matrices import NEEDED

from .convolutions import enlarged, operands


@pytest.mark.parametrize("factor", NEEDED)
def test_enlarged_images_contribute_to_the_first_places_only(factor: int) -> None:
    coarse, _ = operands(3, 5)
    of_large = image_tiles(enlarged(coarse, factor))
    needed = NEEDED[factor] ** 2
    # Of numbers up to some tens.
    torch.testing.assert_close(image_tiles(coarse, factor), of_large[:needed], atol=1e-12, rtol=1e-12)
    assert of_large[needed:].abs().sum() < 1e-10


@settings(deadline=None)
@given(st.sampled_from(sorted(NEEDED)), st.integers(1, 9), st.integers(1, 9), st.integers(0, 1000))
def test_the_adjoint_is_that_of_the_transform(factor: int, height: int, width: int, seed: int) -> None:
    x, _ = operands(height, width, seed=seed)
    tiles = image_tiles(x, factor)
    direction = torch.randn_like(tiles)
    (adjoint,) = torch.autograd.grad(tiles, x, direction)
    assert adjoint.shape == x.shape
    # <T x, d> = <x, T* d>, of some thousands of products of numbers up to some tens.
    torch.testing.assert_close((tiles * direction).sum(), (x * adjoint).sum(), atol=1e-9, rtol=1e-9)


@pytest.mark.parametrize("factor", NEEDED)
def test_derivatives_of_any_order_and_mode(factor: int) -> None:
    x, _ = operands(3, 2, channels=1)
    assert torch.autograd.gradcheck(lambda image: image_tiles(image, factor), x[:1], check_forward_ad=True)
    assert torch.autograd.gradgradcheck(lambda image: image_tiles(image, factor), x[:1])


def test_under_vmap() -> None:
    x, _ = operands(5, 6)
    gradient = torch.func.grad(lambda image: image_tiles(image).square().sum())
    torch.testing.assert_close(torch.vmap(gradient)(x), torch.stack([gradient(image) for image in x]))


def test_other_kernels_are_refused() -> None:
    with pytest.raises(ValueError, match="3x3 kernel"):
        kernel_tiles(torch.rand(2, 3, 5, 5))
