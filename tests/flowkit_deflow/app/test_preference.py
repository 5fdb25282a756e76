"""``deflow preference``, from two folders to a page, and from answers to an outcome."""

import json
import re
from pathlib import Path

import pytest

from flowkit_deflow.images.image_files import image_size
from tests.flowkit_deflow.conftest import Command, Photos
from tests.flowkit_deflow.evaluation.preference.test_tally import answers, write


def test_a_page_is_written(deflow: Command, photos: Photos, tmp_path: Path) -> None:
    folders = [photos.clean, photos.noisy, "--reference", photos.clean]
    ended = deflow("preference", *folders, "--crop", 24, "--out", tmp_path / "page")
    assert ended.status == 0, ended.err
    assert f"Open {tmp_path / 'page' / 'index.html'} in a browser" in ended.out
    assert len(list((tmp_path / "page" / "crops").iterdir())) == 2 * 3 * 8
    ended = deflow("preference", *folders, "--out", tmp_path / "large")
    assert (ended.status, ended.err.count("\n")) == (2, 1)
    assert "are fewer than a crop of 80 needs" in ended.err


def test_a_study_is_not_replaced_by_another(deflow: Command, photos: Photos, tmp_path: Path) -> None:
    study = ["preference", photos.clean, photos.noisy, "--reference", photos.clean, "--crop", 24, "--crops", 1]
    page = tmp_path / "page"
    assert deflow(*study, "--out", page).status == 0
    script = (page / "study.js").read_bytes()
    other = deflow(*study, "--seed", 4, "--out", page)
    assert (other.status, other.err.count("\n")) == (2, 1)
    assert f"{page}: holds the page of another study" in other.err
    assert deflow(*study, "--out", page).status == 0
    assert (page / "study.js").read_bytes() == script
    assert [path.name for path in tmp_path.iterdir()] == ["page"]


def test_answers_are_counted(deflow: Command, tmp_path: Path) -> None:
    folder = write(tmp_path / "answers", answers(1, [0] * 6), answers(2, [0] * 5 + [1]))
    ended = deflow("preference", "--tally", folder, "--out", tmp_path / "out")
    assert ended.status == 0, ended.err
    assert "new against old: how often new was preferred" in ended.out
    # Wilson's interval of 11 out of 12.
    assert re.search(r"^all +91\.7 % +64\.6 to 98\.5 +12$", ended.out, re.MULTILINE)
    record = json.loads((tmp_path / "out" / "tally.json").read_text())
    assert record["total"]["verdict"] == "preferred"
    assert record["participants"]["2"]["first"] == 5
    assert image_size(tmp_path / "out" / "tally.png")[1] > 500


def test_a_tally_may_lie_among_the_answers(deflow: Command, tmp_path: Path) -> None:
    folder = write(tmp_path / "answers", answers(1, [0] * 6))
    for _ in range(2):
        ended = deflow("preference", "--tally", folder, "--out", folder)
        assert ended.status == 0, ended.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "a page needs two folders, --reference and --out"),
        (["a", "b", "--out", "page"], "a page needs two folders, --reference and --out"),
        (["a", "b", "--reference", "c", "--out", "page"], "the folder of images 'a' does not exist"),
        (["a", "b/../a", "--reference", "c", "--out", "page"], "A and B are the same folder, a"),
        (["a", "b", "--tally", "answers"], "--tally counts answers that are there"),
        (["--tally", "no/such"], "no/such: cannot be read"),
    ],
)
def test_a_mistake_is_one_line(deflow: Command, arguments: list[str], message: str) -> None:
    ended = deflow("preference", *arguments)
    assert ended.status == 2
    assert message in ended.err
    assert ended.err.count("\n") == 1
