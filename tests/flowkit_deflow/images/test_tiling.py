from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

import flowkit_deflow.method.generation
from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.images.tiling import tiles
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.method.rrdb import RRDBEncoder
from flowkit_deflow.settings.presets import PRESETS
from tests.flowkit_deflow.networks import TINY, perturbed, photograph

blocks = st.integers(1, 12)


class TestTiles:
    @settings(deadline=None)
    @given(
        height=blocks,
        width=blocks,
        side=st.integers(1, 6),
        margin=st.integers(0, 6),
        alignment=st.sampled_from([1, 4, 8]),
    )
    def test_what_is_kept_covers_the_image_once(
        self, height: int, width: int, side: int, margin: int, alignment: int
    ) -> None:
        covered = torch.zeros(height * alignment, width * alignment, dtype=torch.int64)
        for tile in tiles(*covered.shape, side * alignment, margin * alignment, alignment):
            inner = tile.inner
            covered[inner.top : inner.top + inner.height, inner.left : inner.left + inner.width] += 1
        assert torch.equal(covered, torch.ones_like(covered))

    @settings(deadline=None)
    @given(
        height=blocks,
        width=blocks,
        side=st.integers(1, 6),
        margin=st.integers(0, 6),
        alignment=st.sampled_from([1, 4, 8]),
    )
    def test_the_network_sees_the_margin_as_far_as_there_is_image(
        self, height: int, width: int, side: int, margin: int, alignment: int
    ) -> None:
        height, width, side, margin = (n * alignment for n in (height, width, side, margin))
        for outer, inner in tiles(height, width, side, margin, alignment):
            assert all(number % alignment == 0 for window in (outer, inner) for number in window)
            assert max(inner.height, inner.width) <= side
            assert outer.top == max(0, inner.top - margin)
            assert outer.left == max(0, inner.left - margin)
            assert outer.top + outer.height == min(height, inner.top + inner.height + margin)
            assert outer.left + outer.width == min(width, inner.left + inner.width + margin)

    @pytest.mark.parametrize("name", ["height", "width", "side", "margin"])
    def test_a_number_that_is_not_aligned_is_refused(self, name: str) -> None:
        numbers = {"height": 8, "width": 8, "side": 8, "margin": 8} | {name: 6}
        with pytest.raises(ValueError, match=f"{name} is 6; tiles need a multiple of 4"):
            list(tiles(**numbers, alignment=4))


def degraded(model: DeFlow, images: Tensor, tile: int | None) -> Tensor:
    return model.degrade(images, noise=SeededNoise(0, ""), tile=tile)


def restored(model: DeFlow, images: Tensor, tile: int | None) -> Tensor:
    return model.restore(images, noise=SeededNoise(0, ""), tile=tile)


def sampled(model: DeFlow, images: Tensor, tile: int | None) -> Tensor:
    return model.sample(images, Domain.DEGRADED, noise=SeededNoise(0, ""), tile=tile)


Method = Callable[[DeFlow, Tensor, int | None], Tensor]


@pytest.fixture(scope="module", params=[(0.005, torch.float32), (0.01, torch.float64)], ids=["single", "double"])
def model(request: pytest.FixtureRequest) -> DeFlow:
    """The network of ``small`` with random couplings and injectors: rougher than trained ones. In single precision
    they are weaker: twice as strong, they blow rounding itself up to whole grey levels at a pixel here or there."""
    deviation, dtype = request.param
    return perturbed(PRESETS["small"].architecture.as_published(), deviation, dtype)


def image_for(model: DeFlow) -> Tensor:
    return photograph()[..., 40:232, 80:336].to(next(model.parameters()).dtype)


class TestSeams:
    """Tiles of 64 pixels of a photograph of 192 x 256, against the photograph in one piece."""

    @pytest.mark.parametrize("method", [degraded, restored, sampled])
    def test_no_seam_shows(self, method: Method, model: DeFlow) -> None:
        image = image_for(model)
        whole = method(model, image, None)
        # In grey levels of 255. The model does something: it moves pixels by more than twenty of them.
        assert 255 * (whole - image).std() > 20
        difference = 255 * (method(model, image, 64) - whole).abs()
        # Half a grey level would be seen at isolated pixels at most, after rounding to 8 bits. What is found is 0.003
        # in single precision, which is rounding, and 0.00004 in double.
        assert difference.max() < 0.5
        assert difference.mean() < 0.001

    def test_without_the_margin_seams_would_show(self, model: DeFlow, monkeypatch: pytest.MonkeyPatch) -> None:
        # The test above can tell: with 8 pixels, zero padding at the tiles' edges is felt by several grey levels:
        # more than four times what is allowed there.
        monkeypatch.setattr(flowkit_deflow.method.generation, "MARGIN", 2)
        monkeypatch.setattr(flowkit_deflow.method.generation, "MARGIN_PER_BLOCK", 0)
        image = image_for(model)
        assert 255 * (degraded(model, image, 64) - degraded(model, image, None)).abs().max() > 2

    @pytest.mark.parametrize("tile", [1, 7, 16, 40, 1000])
    def test_any_tile_will_do(self, tile: int) -> None:
        model = perturbed(replace(TINY, levels=3, factor=8))
        image = photograph()[..., 100:133, 200:249]
        torch.testing.assert_close(degraded(model, image, tile), degraded(model, image, None), atol=1e-4, rtol=0)


def test_the_margin_holds_for_the_papers_encoder() -> None:
    """An encoder of 23 blocks sees far; what its maps feel of a tile's edge beyond the margin is small."""
    torch.manual_seed(0)
    encoder = RRDBEncoder(scale=4, features=16, growth=8, blocks=23)
    h = torch.rand(1, 3, 48, 96)
    margin = round(flowkit_deflow.method.generation.MARGIN_PER_BLOCK * 23)
    with torch.no_grad():
        whole, cut = encoder(h)[1], encoder(h[..., 20:])[1]
    kept = whole[..., 20 + margin :]
    # With trained weights (RealSR's) 0.06 % of the maps' deviation is left at the edge of what is kept.
    assert (cut[..., margin:] - kept).square().mean().sqrt() < 0.001 * kept.std()
