import weakref
from collections.abc import Sequence
from typing import ClassVar

import pytest
import torch
from torch import Tensor

from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.images.resize import Window
from flowkit_deflow.method.generation import Views, generate, tiles_for
from flowkit_deflow.method.latent_edits import Latents
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.settings.schema import Architecture
from tests.flowkit_deflow.networks import TINY, UNCONDITIONAL, crops, perturbed


class Recorded:
    """An edit of this test: leaves the latents as they are, and remembers what it was given."""

    domain: ClassVar = Domain.CLEAN
    encodes: ClassVar = True
    draws: ClassVar = 3

    def __init__(self) -> None:
        self.h: list[Tensor | None] = []
        self.numbers: list[Latents] = []

    def change(self, z: Latents, draws: Sequence[Latents], h: Tensor | None) -> Latents:
        self.h.append(h)
        self.numbers.extend(draws)
        return z


def cut(values: Tensor, window: Window, step: int) -> Tensor:
    top, left, height, width = (number // step for number in window)
    return values[..., top : top + height, left : left + width]


@torch.no_grad()
def generated(edit: Recorded, samples: int = 1, tile: int | None = None, h: Tensor | None = None) -> Tensor:
    model = perturbed(UNCONDITIONAL if h is None else TINY, dtype=torch.float64)
    images = crops(2, 32).double()
    result = torch.full((samples, *images.shape), torch.nan, dtype=torch.float64)
    noise = SeededNoise(0, "image")
    parts = tiles_for(model.config, 32, 32, tile)
    views = Views(
        (2, 3, 32, 32), lambda window: cut(images, window, 1), lambda window: h if h is None else cut(h, window, 4)
    )
    for sample, window, pixels in generate(model.bijector, views, edit, noise, samples, parts):
        rows = slice(window.top, window.top + window.height)
        result[sample, ..., rows, window.left : window.left + window.width] = pixels
    return result


@pytest.mark.parametrize("tile", [None, 16])
def test_latents_that_stay_give_the_image_back(tile: int | None) -> None:
    result = generated(Recorded(), samples=2, tile=tile)
    for sample in result:
        # Float64 there and back; there is no pixel that no tile fills.
        torch.testing.assert_close(sample, crops(2, 32).double(), atol=1e-9, rtol=0)


def test_the_edit_sees_the_tiles_own_h() -> None:
    edit, h = Recorded(), torch.rand(2, 3, 8, 8, dtype=torch.float64)
    generated(edit, h=h)
    assert len(edit.h) == 1
    assert edit.h[0] is not None
    assert torch.equal(edit.h[0], h)


def test_each_sample_gets_numbers_of_its_own() -> None:
    edit = Recorded()
    generated(edit, samples=2)
    names = [f"sample {s} draw {d} level 0" for s in range(2) for d in range(3)]
    expected = [SeededNoise(0, "image")(name, (2, 6, 16, 16)).double() for name in names]
    assert len(edit.numbers) == len(expected)
    for (finest, *_), numbers in zip(edit.numbers, expected, strict=True):
        assert torch.equal(finest, numbers)


@torch.no_grad()
def test_a_tile_is_forgotten_before_the_next_one_is_conditioned(monkeypatch: pytest.MonkeyPatch) -> None:
    model, h = perturbed(TINY, dtype=torch.float64), torch.rand(1, 3, 8, 8, dtype=torch.float64)
    bind, held = model.bijector.bind, list[weakref.ref[object]]()

    def watched(context: Tensor | None) -> object:
        assert [kept for kept in held if kept() is not None] == []
        bound = bind(context)
        held.append(weakref.ref(bound))
        return bound

    monkeypatch.setattr(model.bijector, "bind", watched)
    images = crops(1, 32).double()
    views = Views((1, 3, 32, 32), lambda window: cut(images, window, 1), lambda window: cut(h, window, 4))
    pieces = generate(
        model.bijector, views, Recorded(), SeededNoise(0, "image"), 2, tiles_for(model.config, 32, 32, 16)
    )
    assert len(list(pieces)) == 2 * len(held) > 2


class TestTiles:
    def test_the_whole_image_is_one(self) -> None:
        whole = Window(0, 0, 32, 48)
        assert tiles_for(TINY, 32, 48, None) == [(whole, whole)]

    def test_a_deeper_encoder_gets_a_wider_margin(self) -> None:
        def margin(blocks: int) -> int:
            config = Architecture(encoder_blocks=blocks, stack_blocks=())
            tile = tiles_for(config, 1600, 1600, 400)[5]
            return tile.inner.top - tile.outer.top

        # 16 pixels of h, and 1.5 for each of many blocks; h is a quarter of the image.
        assert margin(2) == 64
        assert margin(23) == 144

    @pytest.mark.parametrize(("side", "enlarged"), [(32, 64), (64, 64)])
    def test_tiles_that_cost_ten_times_the_work_are_enlarged_with_a_word(
        self, side: int, enlarged: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        with caplog.at_level("INFO"):
            parts = tiles_for(TINY, 640, 640, side)
        assert parts[0].inner == Window(0, 0, enlarged, enlarged)
        assert ("tiles of 64 are used" in caplog.text) == (side != enlarged)
