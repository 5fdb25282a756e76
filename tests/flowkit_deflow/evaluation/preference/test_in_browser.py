"""The page as participants see it, in Chromium, opened from a file."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowkit_deflow.evaluation.preference.answers import read_answers
from flowkit_deflow.evaluation.preference.tally import Votes, tally
from tests.flowkit_deflow.evaluation.preference.browser import (
    ARROW_LEFT,
    ARROW_RIGHT,
    BACKSPACE,
    Browser,
    browser_missing,
    running_browser,
)
from tests.flowkit_deflow.evaluation.preference.conftest import study

WHY_NOT = browser_missing()
pytestmark = pytest.mark.skipif(WHY_NOT is not None, reason=f"no browser: {WHY_NOT}")

SHOWN_FILE = "return document.querySelector(arguments[0] + ' img').getAttribute('src')"
READY = "return new Promise(done => { const look = () => shownAt === null ? setTimeout(look, 5) : done(true); look() })"


@pytest.fixture(scope="module")
def downloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("downloads")


@pytest.fixture(scope="module")
def browser(downloads: Path) -> Iterator[Browser]:
    with running_browser(downloads) as running:
        yield running


@pytest.fixture
def opened(browser: Browser, page: Path) -> Browser:
    """The page at its start, on a desktop's screen, with nothing kept of tests before."""
    browser.resize(1280, 800)
    browser.open(page / "index.html")
    browser.run("localStorage.clear()")
    return browser


def visible(browser: Browser) -> str:
    section: str = browser.run("return document.querySelector('section:not([hidden])').id")
    return section


def progress(browser: Browser) -> str:
    text: str = browser.run("return document.getElementById('progress').textContent")
    return text


def begin(browser: Browser, page: Path, participant: int = 1) -> None:
    browser.open(page / "index.html", f"#{participant}")
    browser.click("#begin")
    browser.run(READY)


def choose(browser: Browser, key: str) -> None:
    browser.press(key)
    if visible(browser) == "trial":
        browser.run(READY)


def downloaded(browser: Browser, downloads: Path) -> dict[str, Any]:
    before = set(downloads.glob("*.json"))
    browser.click("#download")
    end = time.monotonic() + 20
    while not (new := set(downloads.glob("*.json")) - before):
        assert time.monotonic() < end, "nothing was downloaded"
        time.sleep(0.05)
    content: dict[str, Any] = json.loads(new.pop().read_text(encoding="utf-8"))
    return content


def test_several_participants_answer_and_are_tallied(opened: Browser, page: Path, downloads: Path) -> None:
    known = study(page)
    for participant, wanted in ((1, "blue"), (2, "yellow")):
        begin(opened, page, participant)
        session = known["sessions"][participant - 1]
        for number, (pair, left) in enumerate(session):
            assert progress(opened) == f"{number + 1} of {len(session)}"
            assert opened.run(SHOWN_FILE, "#left") == known["pairs"][pair]["crops"][left]
            assert opened.run(SHOWN_FILE, "#right") == known["pairs"][pair]["crops"][1 - left]
            left_is_wanted = (left == 0) == (wanted == "blue")
            # Participants of odd numbers use keys, the others click.
            if participant % 2:
                choose(opened, ARROW_LEFT if left_is_wanted else ARROW_RIGHT)
            else:
                opened.click("#left" if left_is_wanted else "#right")
                if visible(opened) == "trial":
                    opened.run(READY)
        assert visible(opened) == "end"
        content = downloaded(opened, downloads)
        assert [(answer["pair"], answer["left"]) for answer in content["answers"]] == [tuple(s) for s in session]
    result = tally(read_answers(downloads))
    assert result.methods == ("blue", "yellow")
    assert result.by_participant == {1: Votes(6, 6), 2: Votes(0, 6)}
    # The two of them have seen all pairs both ways round.
    assert result.on_the_left == Votes(6, 12)


def test_the_crop_is_enlarged_and_marked_in_the_whole_image(opened: Browser, page: Path) -> None:
    begin(opened, page)
    known = study(page)
    pair = known["pairs"][known["sessions"][0][0][0]]
    assert opened.run("return document.querySelector('#left img').clientWidth") > 300
    box = "const r = document.querySelector(arguments[0]).getBoundingClientRect(); return [r.x, r.y, r.width, r.height]"
    x, y, width, height = opened.run(box, "#whole img")
    left, top, across, down = pair["mark"]
    # Browsers place to a 64th of a pixel.
    expected = [x + left * width, y + top * height, across * width, down * height]
    assert opened.run(box, "#mark") == pytest.approx(expected, abs=0.1)


def test_an_answer_can_be_taken_back(opened: Browser, page: Path) -> None:
    begin(opened, page)
    assert opened.run("return document.getElementById('back').disabled")
    first = opened.run(SHOWN_FILE, "#left")
    choose(opened, "1")
    choose(opened, "2")
    assert progress(opened) == "3 of 6"
    choose(opened, BACKSPACE)
    opened.click("#back")
    opened.run(READY)
    assert progress(opened) == "1 of 6"
    assert opened.run(SHOWN_FILE, "#left") == first


def test_a_page_that_is_opened_again_goes_on(opened: Browser, page: Path) -> None:
    begin(opened, page, 3)
    choose(opened, ARROW_LEFT)
    begin(opened, page, 3)
    assert progress(opened) == "2 of 6"
    begin(opened, page, 4)
    assert progress(opened) == "1 of 6"


@pytest.mark.parametrize(("width", "height"), [(360, 640), (412, 915), (800, 360)])
def test_it_fits_a_phone(opened: Browser, page: Path, width: int, height: int) -> None:
    opened.resize(width, height, phone=True)
    begin(opened, page, 2)
    assert opened.run("return document.documentElement.scrollWidth") <= width
    for side in ("left", "right"):
        bottom, shown = opened.run(
            "const r = document.querySelector(arguments[0]).getBoundingClientRect(); return [r.bottom, r.width]",
            f"#{side} img",
        )
        assert bottom <= height, "both details are seen without scrolling"
        assert shown > 130
    opened.click("#right")
    opened.run(READY)
    assert progress(opened) == "2 of 6"


def test_the_screen_does_not_name_the_methods(opened: Browser, page: Path) -> None:
    begin(opened, page)
    text = opened.run("return document.body.innerText")
    assert "Which of the two looks better?" in text
    assert not any(method in text for method in study(page)["methods"])


def test_an_incomplete_folder_is_told(opened: Browser, page: Path, tmp_path: Path) -> None:
    import shutil

    shutil.copytree(page, tmp_path / "copy")
    shutil.rmtree(tmp_path / "copy" / "crops")
    opened.open(tmp_path / "copy" / "index.html")
    opened.click("#begin")
    look = "return new Promise(done => { const look = () => { const p = document.getElementById('problem');"
    told = opened.run(f"{look} p.hidden ? setTimeout(look, 5) : done(p.textContent) }}; look() }})")
    assert "the page's folder has to be whole" in told
    choose_nothing = opened.run("choose('left'); return answers.length")
    assert choose_nothing == 0
