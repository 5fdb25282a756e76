import torch
import torch.nn.functional as F
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from flowkit.nn.winograd_blocks import as_blocks, as_image, blocks_from_patches_, clear_beyond, patches_of

SIDES = st.integers(1, 13)


def image(height: int, width: int) -> Tensor:
    return torch.randn(2, 3, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


@settings(deadline=None)
@given(SIDES, SIDES)
def test_blocks_make_the_image_that_they_are_of(height: int, width: int) -> None:
    x = image(height, width)
    blocks = as_blocks(x)
    assert torch.equal(as_image(blocks, height, width), x)
    assert torch.equal(
        as_image(blocks, *(4 * side for side in blocks.shape[3:5])), F.pad(x, (0, -width % 4, 0, -height % 4))
    )


@settings(deadline=None)
@given(SIDES, SIDES)
def test_what_is_behind_the_edges_is_cleared_and_nothing_else(height: int, width: int) -> None:
    blocks = torch.ones_like(as_blocks(image(height, width)).contiguous())
    clear_beyond(blocks, height, width)
    assert torch.equal(blocks, as_blocks(torch.ones_like(image(height, width))))


@settings(deadline=None)
@given(SIDES, SIDES)
def test_a_patch_is_a_block_with_a_pixel_around(height: int, width: int) -> None:
    x = image(height, width)
    blocks = as_blocks(x)
    rows, columns = blocks.shape[3:5]
    around = F.pad(x, (1, 4 * columns + 1 - width, 1, 4 * rows + 1 - height))
    expected = around.unfold(-2, 6, 4).unfold(-2, 6, 4).permute(4, 5, 0, 2, 3, 1)
    assert torch.equal(patches_of(blocks), expected)


@settings(deadline=None)
@given(SIDES, SIDES)
def test_adding_patches_up_is_the_adjoint(height: int, width: int) -> None:
    blocks = as_blocks(image(height, width))
    patches = patches_of(blocks)
    others = torch.randn(patches.shape, dtype=patches.dtype, generator=torch.Generator().manual_seed(1))
    # <P b, q> = <b, P^T q>
    torch.testing.assert_close((patches * others).sum(), (blocks * blocks_from_patches_(others.clone())).sum())
