"""Every command counts and names the files that it did not use."""

import os
import shutil
from pathlib import Path

import pytest

from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.images.image_files import read_image, write_image
from flowkit_deflow.training import shift_inference
from tests.flowkit_deflow.conftest import Command, Photos


@pytest.fixture
def folders(photos: Photos, tmp_path: Path) -> Photos:
    """Both folders, each with a raw photograph and a note among the images."""
    copies = Photos(tmp_path / "clean", tmp_path / "noisy")
    for original, copy in zip(photos, copies, strict=True):
        shutil.copytree(original, copy)
        (copy / "raw.CR2").touch()
        (copy / "notes.txt").touch()
    return copies


TRAIN = ("--preset", "tiny", "--steps", "1", "--set", "accelerator=cpu", "--set", "workers=0")


@pytest.mark.parametrize(
    ("command", "count"),
    [
        (("metrics", "CLEAN", "--metric", "piqe"), 1),
        (("evaluate", "CLEAN", "NOISY", "--out", "OUT"), 2),
        (("preference", "CLEAN", "NOISY", "--reference", "CLEAN", "--out", "OUT", "--crop", "16", "--crops", "1"), 2),
        (("kernels", "CLEAN", "OUT", "--steps", "1", "--channels", "2", "--crop", "32"), 1),
        (("infer-shift", "MODEL", "--clean", "CLEAN", "--degraded", "NOISY", "--config", "SMALL", "--out", "OUT"), 2),
        (("train", "--clean", "CLEAN", "--degraded", "NOISY", *TRAIN, "--out", "OUT"), 2),
        (("train", "--degrader", "white", "--clean", "CLEAN", "--degraded", "NOISY", "--out", "OUT"), 2),
        (("restorer", "train", "--clean", "CLEAN", "--degrader", "WHITE", *TRAIN, "--out", "OUT"), 1),
        (
            (
                "restorer",
                "train",
                "--clean",
                "CLEAN",
                "--degraded",
                "NOISY",
                "--degrader",
                "white",
                *TRAIN,
                "--out",
                "OUT",
            ),
            2,
        ),
    ],
    ids=lambda value: "-".join(value[:2]) if isinstance(value, tuple) else "",
)
def test_files_that_are_not_read_are_counted_by_kind(
    deflow: Command,
    folders: Photos,
    model_folder: Path,
    tmp_path: Path,
    command: tuple[str, ...],
    count: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(shift_inference, "BATCHES", 1)
    WhiteNoise(0.1).save_pretrained(tmp_path / "white")
    (tmp_path / "small.yaml").write_text("data: {crop: 16}\n")
    places = {"CLEAN": folders.clean, "NOISY": folders.noisy, "OUT": tmp_path / "out"}
    places |= {"MODEL": model_folder, "WHITE": tmp_path / "white", "SMALL": tmp_path / "small.yaml"}
    ended = deflow(*(places.get(part, part) for part in command))
    assert ended.status == 3, ended.err
    assert f"{count} .cr2: raw photographs: develop them to TIFF or PNG" in ended.err
    assert f"Passed over, no image{'s' if count > 1 else ''}: {count} .txt" in ended.out


def test_links_that_lead_nowhere_are_left_out(
    deflow: Command, folders: Photos, model_folder: Path, tmp_path: Path
) -> None:
    (folders.clean / "gone.png").symlink_to(tmp_path / "unmounted.png")
    ended = deflow("degrade", model_folder, folders.clean, tmp_path / "out", "--device", "cpu")
    assert (ended.status, "1 linked: the links lead nowhere" in ended.err) == (3, True), ended.err


def test_names_that_are_no_text_are_names_like_others(
    deflow: Command, photos: Photos, model_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / os.fsdecode(b"photos \xff")
    shutil.copytree(photos.clean, folder)
    write_image(folder / os.fsdecode(b"-\xfe.png"), read_image(photos.clean / "coffee_0.png"))
    degrade = ("degrade", model_folder, folder, tmp_path / os.fsdecode(b"\xfd"), "--device", "cpu")
    ended = deflow(*degrade)
    assert ended.status == 0, ended.err
    assert (degrade[3] / os.fsdecode(b"-\xfe.png")).exists()
    assert "9 were there already" in deflow(*degrade).out
    run = ("train", "--clean", folder, "--degraded", photos.noisy, *TRAIN)
    ended = deflow(*run, "--out", tmp_path / "run")
    assert ended.status == 0, ended.err
    ended = deflow(*run, "--out", tmp_path / os.fsdecode(b"run \xff"))
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert "needs a folder whose name is text; choose another --out" in ended.err
    ended = deflow("metrics", folder, "--metric", "piqe", "--out", tmp_path / "scores.json", "--device", "cpu")
    assert ended.status == 0, ended.err
