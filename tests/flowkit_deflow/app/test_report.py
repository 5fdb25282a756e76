"""``deflow report``: the page of a run holds what it promises."""

import json
import re
import signal
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
import torch

from flowkit_deflow.app.report.run_report import report_run
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import list_images, read_image, write_image
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.trainer import train
from tests.flowkit_deflow.conftest import Ended, Photos
from tests.flowkit_deflow.training.killed_run import KillPoint, run_until_killed


@pytest.fixture(scope="module")
def run(tiny: Callable[..., Run], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("reported") / "run"
    train(tiny("training.monitor_every=2", "training.steps=7", "data.held_out=0.25"), out, progress=False)
    return out


def text_of(page: Path) -> str:
    return unescape(re.sub(r"<[^>]+>", " ", page.read_text(encoding="utf-8")))


def test_the_command_writes_a_page_whose_pictures_are_there(
    run: Path, photos: Photos, deflow_process: Callable[..., Ended], tmp_path: Path
) -> None:
    clean, degraded = tmp_path / "clean", tmp_path / "degraded"
    for number, file in enumerate(list_images(photos.clean)):
        image = read_image(file)
        write_image(clean / f"{number}.png", image)
        write_image(degraded / f"{number}.png", (image + 0.05).clamp(0, 1))
    ended = deflow_process("report", run, "--clean", clean, "--degraded", degraded, "--out", tmp_path / "report")
    assert ended.status == 0, ended.err
    page = tmp_path / "report" / "report.html"
    assert f"Open {page}" in ended.out
    pictures = re.findall(r'<img src="([^"]+)"', page.read_text(encoding="utf-8"))
    for needed in ("training.png", "monitors.png", "held_out/strips.png", "pairs/strips.png", "pairs/histogram.png"):
        assert needed in pictures
    for picture in pictures:
        assert min(read_image(page.parent / picture).shape[1:]) > 100, picture
    text = text_of(page)
    assert "7 steps of 4 crops of 16 x 16 pixels" in text
    assert "learning_rate: 0.001" in text
    for title in ("code length", "domain evidence", "eigenvalues", "roughness", "Images that were held out", "Pairs"):
        assert title in text
    for part in ("held_out", "pairs"):
        measured = json.loads((page.parent / part / "evaluation.json").read_text(encoding="utf-8"))
        assert measured["generated"]["images"] == (2 if part == "held_out" else 8)


def test_held_out_images_are_what_is_shown(run: Path, tmp_path: Path) -> None:
    report_run(run, tmp_path)
    shown = list_images(tmp_path / "held_out" / "clean")
    assert len(shown) == 2
    assert len(list_images(tmp_path / "held_out" / "generated")) == 2


def test_a_run_that_was_stopped_tells_what_it_has_come_to(tiny: Callable[..., Run], tmp_path: Path) -> None:
    assert run_until_killed(tiny(), tmp_path / "run", KillPoint("on_train_batch_start", 5)) == -signal.SIGKILL
    text = text_of(report_run(tmp_path / "run", tmp_path / "report"))
    assert "4 of 8 steps" in text
    assert "has not ended" in text


def test_without_held_out_images_it_says_so(tiny: Callable[..., Run], tmp_path: Path) -> None:
    train(tiny("data.held_out=0", "training.workers=0"), tmp_path / "run", progress=False)
    text = text_of(report_run(tmp_path / "run", tmp_path / "report"))
    assert "No images were held out" in text
    assert "none were held out" in text


def test_pairs_need_both_folders_and_a_run_its_folder(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="give --clean and --degraded, or neither"):
        report_run(run, tmp_path, clean=tmp_path)
    with pytest.raises(UserError, match=r"run\.yaml"):
        report_run(tmp_path, tmp_path / "report")


def test_what_cannot_be_paired_or_written_is_told_before_anything_is_written(run: Path, tmp_path: Path) -> None:
    clean, degraded = tmp_path / "clean", tmp_path / "degraded"
    for folder, name in ((clean, "a.png"), (degraded, "b.png")):
        folder.mkdir()
        write_image(folder / name, torch.zeros(3, 32, 32))
    with pytest.raises(UserError, match="has no clean partner"):
        report_run(run, tmp_path / "report", clean, degraded)
    assert not (tmp_path / "report").exists()
    with pytest.raises(UserError, match="is no folder"):
        report_run(run, clean / "a.png")
