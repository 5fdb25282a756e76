"""What is told before the first step."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from flowkit_deflow.images.image_files import write_image
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.cautions import cautions
from flowkit_deflow.training.data import UnpairedCrops


@pytest.fixture
def folders(tmp_path: Path) -> tuple[Path, Path]:
    """Twenty images in each of two folders."""
    for name in ("clean", "degraded"):
        for number in range(20):
            write_image(tmp_path / name / f"{number}.png", torch.rand(3, 16, 16))
    return tmp_path / "clean", tmp_path / "degraded"


@pytest.fixture
def told(tiny: Callable[..., Run]) -> Callable[..., list[str]]:
    def told(out: Path, clean: Path, degraded: Path, *changes: str) -> list[str]:
        run = tiny(f"data.clean={clean}", f"data.degraded={degraded}", *changes)
        return list(cautions(out, UnpairedCrops(run.data, run.architecture, run.training.batch, run.training.seed)))

    return told


def test_enough_images_in_two_folders_are_no_reason_to_say_anything(
    told: Callable[..., list[str]], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    assert told(tmp_path / "run", *folders) == []


def test_one_folder_for_both_domains(
    told: Callable[..., list[str]], folders: tuple[Path, Path], tmp_path: Path
) -> None:
    clean, _ = folders
    (caution,) = told(tmp_path / "run", clean, clean.parent / "degraded" / ".." / "clean")
    assert "are the same folder" in caution
    # The paper's way without clean images: they are made of the degraded ones.
    assert told(tmp_path / "run", clean, clean, "data.clean_downsample=[2]", "data.crop=8") == []


def test_few_images(told: Callable[..., list[str]], folders: tuple[Path, Path], tmp_path: Path) -> None:
    clean, degraded = folders
    (clean / "0.png").unlink()
    (caution,) = told(tmp_path / "run", clean, degraded)
    assert caution.startswith("There are 19 clean images. ")
    for number in range(1, 20):
        (degraded / f"{number}.png").unlink()
    few, judged = told(tmp_path / "run", clean, degraded)
    assert few.startswith("There are 19 clean images and 1 degraded image. ")
    assert "nothing judges the training" in judged
    assert len(told(tmp_path / "run", clean, degraded, "data.held_out=0")) == 1
    for number in range(2, 20):
        (clean / f"{number}.png").unlink()
    assert told(tmp_path / "run", clean, degraded)[0].startswith("There is 1 clean image and 1 degraded image. ")


@pytest.mark.parametrize("below", [".", "run", "a/b"])
def test_a_run_within_the_photographs(told: Callable[..., list[str]], folders: tuple[Path, Path], below: str) -> None:
    clean, degraded = folders
    (caution,) = told(degraded / below, clean, degraded)
    assert f"lies in the folder of images {degraded}: " in caution
