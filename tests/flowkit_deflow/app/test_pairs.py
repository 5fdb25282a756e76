"""``deflow pairs``."""

import json
from pathlib import Path

import pytest
import torch
import yaml

from flowkit_deflow.degraders.handwritten.pipeline import HandWritten
from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.images.image_files import list_images, read_image, write_image
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
