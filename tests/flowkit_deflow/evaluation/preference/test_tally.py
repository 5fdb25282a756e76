"""Counting answers: whose they are, how sure the outcome is."""

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.preference.answers import read_answers
from flowkit_deflow.evaluation.preference.page import FORMAT
from flowkit_deflow.evaluation.preference.tally import Verdict, Votes, tally
from flowkit_deflow.evaluation.preference.wilson import wilson_interval


def answers(participant: int, chosen: list[int], **others: Any) -> dict[str, Any]:
    """A file of answers, the first method always on the left."""
    return {
        "format": FORMAT,
        "study": "s",
        "methods": ["new", "old"],
        "participant": participant,
        "answers": [
            {"pair": pair, "image": f"image {pair // 3}", "left": 0, "chosen": choice, "seconds": 1.5}
            for pair, choice in enumerate(chosen)
        ],
    } | others


def write(folder: Path, *files: dict[str, Any]) -> Path:
    folder.mkdir(exist_ok=True)
    for number, content in enumerate(files):
        (folder / f"{number}.json").write_text(json.dumps(content))
    return folder


class TestWilson:
    @given(st.integers(1, 500).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
    def test_it_is_scipys(self, counted: tuple[int, int]) -> None:
        expected = binomtest(*counted).proportion_ci(method="wilson")
        # Rounding of a handful of double operations.
        assert wilson_interval(*counted) == pytest.approx((expected.low, expected.high), abs=1e-12)

    @pytest.mark.parametrize(("hits", "trials"), [(0, 0), (3, 2), (-1, 2)])
    def test_what_is_no_share_is_refused(self, hits: int, trials: int) -> None:
        with pytest.raises(ValueError, match=f"{hits} hits of {trials} trials"):
            wilson_interval(hits, trials)


@pytest.mark.parametrize(
    ("votes", "verdict"),
    [
        (Votes(60, 100), Verdict.PREFERRED),  # 50.2 % to 69.1 %
        (Votes(59, 100), Verdict.UNDECIDED),  # 49.2 % to 68.1 %
        (Votes(40, 100), Verdict.NOT_PREFERRED),
    ],
)
def test_a_method_wins_where_the_interval_leaves_out_one_half(votes: Votes, verdict: Verdict) -> None:
    assert votes.verdict is verdict


def test_choices_are_counted_by_participant_image_and_side(tmp_path: Path) -> None:
    result = tally(read_answers(write(tmp_path, answers(2, [0, 0, 1, 1, 1, 1]), answers(1, [0, 0, 0, 0, 0, 1]))))
    assert result.methods == ("new", "old")
    assert result.total == Votes(7, 12)
    assert result.by_participant == {1: Votes(5, 6), 2: Votes(2, 6)}
    assert result.by_image == {"image 0": Votes(5, 6), "image 1": Votes(2, 6)}
    assert result.on_the_left == Votes(7, 12)


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ([], r"holds no files of answers"),
        ([answers(1, [0]), answers(1, [1])], r"are both of participant 1; keep one of them"),
        ([answers(1, [0]), answers(2, [1], study="t")], r"are of different studies"),
        (
            [answers(1, [0]), answers(2, [1], methods=["old", "new"])],
            r"names the methods old and new, and .* new and old",
        ),
        ([answers(1, [])], r"holds no answer"),
        ([answers(1, [2])], r"holds no answers of the format .*\(answers\.0\.chosen: "),
        ([{"score": 1}], r"holds no answers of the format"),
        ([answers(1, [0, 1]) | {"answers": 2 * answers(1, [0])["answers"]}], r"answers a pair twice"),
    ],
)
def test_what_cannot_be_counted_is_told(files: list[dict[str, Any]], message: str, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=message):
        read_answers(write(tmp_path, *files))


def test_a_file_that_is_no_json_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(UserError, match=r"a\.json: is no JSON"):
        read_answers(tmp_path / "a.json")
    with pytest.raises(UserError, match=r"b\.json: cannot be read"):
        read_answers(tmp_path / "b.json")
