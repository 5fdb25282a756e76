"""The answers of a preference study's participants, as the page hands them out."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.preference.page import FORMAT

__all__ = ["TALLY", "Answer", "Answers", "read_answers"]

TALLY = "tally.json"
"""The file that answers are counted in; it may lie among them."""

_STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class Answer:
    """What a participant chose of one pair.

    Attributes:
        pair: number of the pair.
        image: name of the image that it is from.
        left: number of the method that was on the left, 0 or 1.
        chosen: number of the method that was chosen.
        seconds: how long it took.
    """

    __pydantic_config__ = _STRICT

    pair: int
    image: str
    left: Literal[0, 1]
    chosen: Literal[0, 1]
    seconds: float


@dataclass(frozen=True)
class Answers:
    """A file of answers.

    Attributes:
        format: what it is.
        study: the study's name, which depends on all that it shows.
        methods: names of the methods.
        participant: number of the participant, from 1 on.
        answers: one for each pair.
    """

    __pydantic_config__ = _STRICT

    format: Literal["flowkit-deflow preference 1"]
    study: str
    methods: tuple[str, str]
    participant: int
    answers: tuple[Answer, ...]


def read_answers(path: Path) -> list[Answers]:
    """Read the answers of all participants of one study.

    Args:
        path: a file, or a folder of them: its files ``*.json`` but a tally.

    Returns:
        The answers, in the order of the participants.

    Raises:
        UserError: there is no file, one holds no answers, two are of the same participant, or of different studies or
            methods.
    """
    paths = sorted(file for file in path.glob("*.json") if file.name != TALLY) if path.is_dir() else [path]
    if not paths:
        raise UserError(f"{path}: holds no files of answers (*.json); collect there what the page lets download")
    files = {file: _read(file) for file in paths}
    first = paths[0]
    by_participant: dict[int, Path] = {}
    for file, answers in files.items():
        if answers.study != files[first].study:
            raise UserError(f"{file} and {first} are of different studies; tally each by itself")
        if answers.methods != files[first].methods:
            ours, others = (" and ".join(methods) for methods in (answers.methods, files[first].methods))
            raise UserError(f"{file} names the methods {ours}, and {first} {others}; get the files from the page again")
        if answers.participant in by_participant:
            raise UserError(
                f"{file} and {by_participant[answers.participant]} are both of participant {answers.participant}; keep "
                "one of them"
            )
        by_participant[answers.participant] = file
    return sorted(files.values(), key=lambda answers: answers.participant)


def _read(file: Path) -> Answers:
    try:
        answers = TypeAdapter(Answers).validate_python(json.loads(file.read_text(encoding="utf-8")))
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); check the path") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{file}: is no JSON ({error}); get the file from the page again") from None
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "the whole"
        raise UserError(
            f"{file}: holds no answers of the format {FORMAT!r} ({place}: {first['msg']}); get the file from the page "
            "again"
        ) from None
    _require_once(file, [answer.pair for answer in answers.answers])
    return answers


def _require_once(file: Path, pairs: Sequence[int]) -> None:
    if not pairs:
        raise UserError(f"{file}: holds no answer; get the file from the page when all pairs are answered")
    if len(set(pairs)) < len(pairs):
        raise UserError(f"{file}: answers a pair twice; get the file from the page again")
