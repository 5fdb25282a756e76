"""``deflow pairs``."""

import json
from pathlib import Path

import lmdb
import pytest
import torch
import yaml

from flowkit_deflow.app.lmdb_folder import write_lmdb
from flowkit_deflow.app.renderings import STRIP, downsampled, in_strips
from flowkit_deflow.degraders.handwritten.pipeline import HandWritten
from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import image_size, list_images, read_image, write_image
from flowkit_deflow.images.resize import bicubic_downsample, cropped_to_multiple
from tests.flowkit_deflow.conftest import Command, Photos


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in list_images(folder)}


def records(folder: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in (folder / "manifest.jsonl").read_text().splitlines()]


@pytest.fixture
def noise(tmp_path: Path) -> Path:
    WhiteNoise(0.1).save_pretrained(tmp_path / "noise")
    return tmp_path / "noise"


def test_the_files_of_a_pair_have_one_name_and_sizes_that_fit(
    deflow: Command, photos: Photos, model_folder: Path, tmp_path: Path
) -> None:
    ended = deflow("pairs", model_folder, photos.clean, tmp_path / "out", "--scale", 3, "--samples", 2)
    assert (ended.status, ended.err) == (0, "")
    names = {kind: set(contents(tmp_path / "out" / kind)) for kind in ("HR", "LR", "LQ")}
    assert names["HR"] == names["LR"] == names["LQ"]
    assert len(names["HR"]) == 16
    clean = cropped_to_multiple(read_image(photos.clean / "more" / "rocket_1.png"), 3)
    for sample in range(2):
        high, low, degraded = (
            read_image(tmp_path / "out" / kind / "more" / f"rocket_1_s{sample}.png") for kind in ("HR", "LR", "LQ")
        )
        assert torch.equal(high, clean)
        # 8-bit files: half a step of rounding.
        torch.testing.assert_close(low, bicubic_downsample(clean, 3).clamp(0, 1), atol=0.5 / 255 + 1e-6, rtol=0)
        assert degraded.shape == low.shape
        assert not torch.equal(degraded, low)
    first, second = (tmp_path / "out" / "HR" / f"coffee_0_s{i}.png" for i in range(2))
    assert first.samefile(second)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.float32])
def test_strips_of_an_image_are_the_image(dtype: torch.dtype) -> None:
    levels = torch.randint(256, (1, 3, 2 * STRIP + 42, 9), generator=torch.Generator().manual_seed(0))
    image = levels.to(torch.uint8) if dtype is torch.uint8 else levels / 255
    pieces = list(in_strips(3, image))
    assert torch.equal(torch.cat([piece.pixels for piece in pieces], -2), levels / 255)
    assert [(piece.sample, piece.window.top) for piece in pieces] == [(3, 0), (3, STRIP), (3, 2 * STRIP)]
    # Single precision: the rows of a strip are added up in another order than those of the whole.
    whole = bicubic_downsample((levels / 255)[..., :552, :], 3).clamp(0, 1)
    torch.testing.assert_close(downsampled(image[..., :552, :], 3), whole, atol=1e-6, rtol=0)


def test_temperatures_are_drawn_for_each_image_and_recorded(
    deflow: Command, photos: Photos, noise: Path, tmp_path: Path
) -> None:
    deflow("pairs", noise, photos.clean, tmp_path / "out", "--temperature", "0.5:1.5")
    drawn = {record["done"][0]: record["temperature"] for record in records(tmp_path / "out") if "done" in record}  # type: ignore[index]
    assert len(set(drawn.values())) == 8
    assert all(0.5 <= float(value) <= 1.5 for value in drawn.values())  # type: ignore[arg-type]
    assert records(tmp_path / "out")[0]["settings"]["temperature"] == [0.5, 1.5]  # type: ignore[index]


def test_shards_make_what_one_machine_makes(deflow: Command, photos: Photos, noise: Path, tmp_path: Path) -> None:
    deflow("pairs", noise, photos.clean, tmp_path / "one")
    for number in (3, 1, 2):
        assert deflow("pairs", noise, photos.clean, tmp_path / "three", "--shard", f"{number}/3").status == 0
    assert contents(tmp_path / "three") == contents(tmp_path / "one")
    again = deflow("pairs", noise, photos.clean, tmp_path / "three")
    assert "0 images done, 8 were there already" in again.out


def test_other_settings_are_refused(deflow: Command, photos: Photos, noise: Path, tmp_path: Path) -> None:
    deflow("pairs", noise, photos.clean, tmp_path / "out")
    ended = deflow("pairs", noise, photos.clean, tmp_path / "out", "--scale", 2)
    assert ended.status == 2
    assert "scale was 4, is 2" in ended.err


def test_options_of_the_programs_that_train(deflow: Command, photos: Photos, noise: Path, tmp_path: Path) -> None:
    ended = deflow("pairs", noise, photos.clean, tmp_path / "out", "--scale", 2)
    options = tmp_path / "out" / "options"
    for name, kind in (("basicsr.yml", "PairedImageDataset"), ("realesrgan.yml", "RealESRGANPairedDataset")):
        assert (options / name).read_text() in ended.out
        entry = yaml.safe_load((options / name).read_text())
        assert entry["scale"] == 2
        train = entry["datasets"]["train"]
        assert train["type"] == kind
        assert [Path(train[root]).name for root in ("dataroot_gt", "dataroot_lq")] == ["HR", "LQ"]
    kair = json.loads((options / "kair.json").read_text())["datasets"]["train"]
    assert [Path(kair[root]).name for root in ("dataroot_H", "dataroot_L")] == ["HR", "LQ"]
    assert kair["H_size"] % 2 == 0


class TestSubImages:
    def test_they_are_cut_from_the_whole_pairs(
        self, deflow: Command, photos: Photos, noise: Path, tmp_path: Path
    ) -> None:
        common = ("pairs", noise, photos.clean / "more", "--scale", 2, "--samples", 2)
        whole, cut = tmp_path / "whole", tmp_path / "cut"
        deflow(*common[:3], whole, *common[3:])
        ended = deflow(*common[:3], cut, *common[3:], "--sub-images", "24:12:5")
        assert (ended.status, ended.err) == (0, "")
        # 40 rows: 0, 12, and 16 since 4 pixels would be left by 12 + 24; no more than 5 are, so it is left out.
        corners = [(top, left) for top in (0, 12) for left in (0, 12, 24, 32)]
        for sample in range(2):
            for kind, side, factor in (("HR", 24, 1), ("LR", 12, 2), ("LQ", 12, 2)):
                image = read_image(whole / kind / f"rocket_1_s{sample}.png")
                for number, (top, left) in enumerate(corners, 1):
                    part = read_image(cut / kind / f"rocket_1_s{sample}_s{number:03d}.png")
                    rows, columns = (slice(at // factor, at // factor + side) for at in (top, left))
                    assert torch.equal(part, image[:, rows, columns]), (kind, number)
        assert len(list_images(cut / "LQ")) == 2 * len(corners)
        first, second = (cut / "HR" / f"rocket_1_s{sample}_s001.png" for sample in range(2))
        assert first.samefile(second)
        again = deflow(*common[:3], cut, *common[3:], "--sub-images", "24:12:5")
        assert "0 images done, 1 was there already" in again.out
        other = deflow(*common[:3], cut, *common[3:], "--sub-images", "24:12")
        assert other.status == 2
        assert "sub-images was [24, 12, 5], is [24, 12, 0]" in other.err
        mixed = deflow(*common[:3], whole, *common[3:], "--sub-images", "24:12:5")
        assert mixed.status == 2
        assert "made otherwise (HR/rocket_1_s0.png: sub-images was None, is [24, 12, 5])" in mixed.err

    def test_small_and_unreadable_photographs_are_named(
        self, deflow: Command, photos: Photos, noise: Path, tmp_path: Path
    ) -> None:
        (tmp_path / "in").mkdir()
        write_image(tmp_path / "in" / "small.png", torch.zeros(3, 30, 50))
        write_image(tmp_path / "in" / "large.png", torch.zeros(3, 50, 30))
        write_image(tmp_path / "in" / "larger.png", torch.zeros(3, 40, 40))
        (tmp_path / "in" / "broken.png").write_text("no image")
        ended = deflow("pairs", noise, tmp_path / "in", tmp_path / "out", "--sub-images", "32")
        assert ended.status == 3
        assert "small.png: its 48 x 28 pixels are fewer than a sub-image's 32 x 32; leave it out" in ended.err
        assert "broken.png" in ended.err
        assert {path.name for path in list_images(tmp_path / "out" / "HR")} == {
            f"larger_s00{number}.png" for number in range(1, 5)
        }

    @pytest.mark.parametrize(
        ("text", "message"),
        [("48:x", "expected SIZE, SIZE:STEP"), ("0", "at least 1 pixel"), ("30:15", "multiples of the scale 4")],
    )
    def test_what_makes_no_sense_is_refused(
        self, deflow: Command, photos: Photos, noise: Path, tmp_path: Path, text: str, message: str
    ) -> None:
        ended = deflow("pairs", noise, photos.clean, tmp_path / "out", "--sub-images", text)
        assert ended.status == 2
        assert message in ended.err
        assert not (tmp_path / "out").exists()


class TestLmdb:
    def contents(self, folder: Path) -> dict[str, bytes]:
        with lmdb.open(str(folder), readonly=True, lock=False) as environment, environment.begin() as reading:
            return {key.decode("ascii"): bytes(value) for key, value in reading.cursor()}

    def test_it_holds_the_files_as_basicsr_looks_for_them(
        self, deflow: Command, photos: Photos, noise: Path, tmp_path: Path
    ) -> None:
        out = tmp_path / "out"
        for _ in range(2):
            ended = deflow("pairs", noise, photos.clean, out, "--lmdb")
            assert (ended.status, ended.err) == (0, "")
        for kind in ("HR", "LR", "LQ"):
            stored = self.contents(out / f"{kind}.lmdb")
            files = {name.removesuffix(".png"): content for name, content in contents(out / kind).items()}
            assert stored == files
            # A line is a name with its suffix, a shape, and how far PNG compressed; a key ends at the first dot.
            lines = (out / f"{kind}.lmdb" / "meta_info.txt").read_text().splitlines()
            assert [line.split(".")[0] for line in lines] == sorted(files)
            height, width = image_size(out / kind / "coffee_0.png")
            assert f"coffee_0.png ({height},{width},3) 6" in lines
        train = yaml.safe_load((out / "options" / "basicsr.yml").read_text())["datasets"]["train"]
        assert train["io_backend"] == {"type": "lmdb"}
        assert [Path(train[root]).name for root in ("dataroot_gt", "dataroot_lq")] == ["HR.lmdb", "LQ.lmdb"]

    def test_a_key_has_no_dots_and_no_letters_outside_ascii(self, tmp_path: Path) -> None:
        for name in ("a.v1.png", "sub/ä.jpg"):
            write_image(tmp_path / "in" / name, torch.zeros(3, 8, 8))
        write_lmdb(tmp_path / "in", tmp_path / "in.lmdb")
        assert set(self.contents(tmp_path / "in.lmdb")) == {"a_v1", "sub/_"}
        write_image(tmp_path / "in" / "a_v1.png", torch.zeros(3, 8, 8))
        with pytest.raises(UserError, match="would have the one key 'a_v1'"):
            write_lmdb(tmp_path / "in", tmp_path / "in.lmdb")
        assert set(self.contents(tmp_path / "in.lmdb")) == {"a_v1", "sub/_"}

    def test_a_share_of_the_pairs_makes_none(
        self, deflow: Command, photos: Photos, noise: Path, tmp_path: Path
    ) -> None:
        ended = deflow("pairs", noise, photos.clean, tmp_path / "out", "--lmdb", "--shard", "1/2")
        assert ended.status == 2
        assert "give --lmdb alone" in ended.err


def test_a_photograph_smaller_than_the_scale_is_left_out(
    deflow: Command, photos: Photos, noise: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    write_image(tmp_path / "in" / "small.png", torch.zeros(3, 3, 9))
    write_image(tmp_path / "in" / "large.png", torch.zeros(3, 9, 9))
    ended = deflow("pairs", noise, tmp_path / "in", tmp_path / "out")
    assert ended.status == 3
    assert "small.png: its 9 x 3 pixels are fewer than the scale 4" in ended.err


def test_a_degrader_that_changes_sizes_is_refused(deflow: Command, photos: Photos, tmp_path: Path) -> None:
    HandWritten("bsrgan", scale=4).save_pretrained(tmp_path / "model")
    ended = deflow("pairs", tmp_path / "model", photos.clean, tmp_path / "out")
    assert ended.status == 2
    assert "use one that keeps the size" in ended.err
