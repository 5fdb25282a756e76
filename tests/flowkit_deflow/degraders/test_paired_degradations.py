from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from flowkit_deflow.degraders.handwritten.blur import GaussianBlur
from flowkit_deflow.degraders.handwritten.jpeg import Jpeg
from flowkit_deflow.degraders.handwritten.pipeline import HandWritten
from flowkit_deflow.degraders.handwritten.sharpening import UnsharpMask
from flowkit_deflow.degraders.identity import Identity
from flowkit_deflow.degraders.paired_degradations import PairedDegradations
from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import read_image, write_image
from flowkit_deflow.images.resize import bicubic_downsample
from tests.flowkit_deflow.conftest import Photos


def items(pairs: PairedDegradations, workers: int) -> list[tuple[Tensor, Tensor]]:
    return [(low[0], high[0]) for low, high in DataLoader(pairs, num_workers=workers)]


def same(a: list[tuple[Tensor, Tensor]], b: list[tuple[Tensor, Tensor]]) -> bool:
    return all(torch.equal(x, y) for one, other in zip(a, b, strict=True) for x, y in zip(one, other, strict=True))


def test_seed_epoch_and_index_decide_whatever_the_workers(photos: Photos) -> None:
    pairs = PairedDegradations(photos.clean, WhiteNoise((0.0, 0.2)), crop=32, temperature=(0.5, 1.5))
    here = items(pairs, 0)
    assert len(here) == 8
    assert same(here, items(pairs, 2))
    assert same(
        here, items(PairedDegradations(photos.clean, WhiteNoise((0.0, 0.2)), crop=32, temperature=(0.5, 1.5)), 0)
    )
    pairs.set_epoch(1)
    assert not same(here, items(pairs, 0))
    pairs.set_epoch(0)
    assert same(here, items(pairs, 0))


def test_workers_that_stay_see_the_epoch_change(photos: Photos) -> None:
    pairs = PairedDegradations(photos.clean, WhiteNoise(0.1), crop=16)
    loader = DataLoader(pairs, num_workers=1, persistent_workers=True)
    epochs = []
    for epoch in range(2):
        pairs.set_epoch(epoch)
        epochs.append([(low[0], high[0]) for low, high in loader])
    assert not same(*epochs)


def test_without_degraders_the_pair_is_the_image_and_its_downsampled_copy(photos: Photos) -> None:
    pairs = PairedDegradations(photos.clean, scale=4, crop=None)
    low, high = pairs[0]
    assert torch.equal(high, read_image(pairs.images[0]))
    torch.testing.assert_close(low, bicubic_downsample(high, 4).clamp(0, 1))


def test_a_mixture_follows_its_weights(photos: Photos) -> None:
    class Constant:
        def __init__(self, value: float) -> None:
            self.value = value

        def degrade(
            self,
            images: Tensor,
            temperature: float = 1.0,
            samples: int | None = None,
            generator: torch.Generator | None = None,
        ) -> Tensor:
            return torch.full_like(images, self.value)

    pairs = PairedDegradations(photos.clean, [Constant(0.0), Constant(1.0)], weights=[1, 3], crop=8)
    drawn = []
    for epoch in range(100):
        pairs.set_epoch(epoch)
        drawn += [float(pairs[index][0].mean()) for index in range(3)]
    # Four standard deviations of a share of 3/4 among 300.
    assert sum(drawn) / len(drawn) == pytest.approx(0.75, abs=0.1)


def test_before_and_after(photos: Photos) -> None:
    blur, jpeg = HandWritten(GaussianBlur((3.0, 3.0))), HandWritten(Jpeg((20, 20)))
    plain, before, after = (
        PairedDegradations(photos.clean, crop=32, before=first, after=last)[0]
        for first, last in ((None, None), (blur, None), (None, jpeg))
    )
    assert torch.equal(plain[1], before[1])
    assert before[0].std() < plain[0].std()
    assert not torch.equal(after[0], plain[0])
    low, _ = PairedDegradations(photos.clean, crop=32, before=HandWritten("real-esrgan", scale=4))[0]
    assert low.shape == (3, 8, 8)


def test_images_that_cannot_be_used_are_named(photos: Photos, tmp_path: Path) -> None:
    write_image(tmp_path / "small.png", torch.zeros(3, 20, 40))
    (tmp_path / "text.png").write_text("no image")
    with pytest.raises(UserError, match="no image in it can be used"):
        PairedDegradations(tmp_path, crop=32)
    write_image(tmp_path / "large.png", torch.zeros(3, 32, 32))
    pairs = PairedDegradations(tmp_path, crop=32)
    assert [path.name for path in pairs.images] == ["large.png"]
    assert [word in problem for word, problem in zip(("40 x 20", "text.png"), pairs.problems, strict=True)] == [
        True
    ] * 2


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"crop": 30}, "crop is 30 and scale is 4"),
        ({"scale": 0}, "scale is 0"),
        ({"temperature": (2.0, 1.0)}, "temperature is"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"weights": [1.0, 2.0]}, "1 degraders have the weights"),
        ({"weights": [0.0]}, "all zero"),
    ],
)
def test_numbers_that_do_not_fit(photos: Photos, wrong: dict[str, object], named: str) -> None:
    with pytest.raises(ValueError, match=named):
        PairedDegradations(photos.clean, WhiteNoise(0.1), **wrong)  # type: ignore[arg-type]


def test_both_images_of_a_pair_are_sharpened(photos: Photos) -> None:
    plain, sharpened = (
        PairedDegradations(photos.clean, Identity(), scale=2, crop=32, sharpen=sharpen)[0]
        for sharpen in (None, HandWritten(UnsharpMask()))
    )
    assert sharpened[1].std() > plain[1].std()
    assert torch.allclose(sharpened[0], bicubic_downsample(sharpened[1], 2).clamp(0, 1))


def test_images_of_other_formats_are_counted(tmp_path: Path) -> None:
    write_image(tmp_path / "a.png", torch.rand(3, 32, 32))
    (tmp_path / "b.gif").touch()
    assert PairedDegradations(tmp_path, Identity(), crop=16).problems == ["1 .gif: not read: convert them to PNG"]
