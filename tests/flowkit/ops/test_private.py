"""Private names of torch stand in one file, and what it probes for may be missing."""

import re
from pathlib import Path

import pytest
import torch

import flowkit
import flowkit_deflow
from flowkit.ops import private

PRIVATE = re.compile(r"\btorch\._\w+|\btorch\.ops\b|\btorch(?:\.\w+)*\._\w+|from torch(?:\.\w+)* import _\w+")


@pytest.mark.parametrize("package", [flowkit, flowkit_deflow], ids=lambda package: package.__name__)
def test_private_names_of_torch_stand_in_one_file(package: object) -> None:
    folder = Path(package.__file__).parent  # type: ignore[attr-defined]
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*.py") if PRIVATE.search(path.read_text())}
    assert found <= {"ops/private.py"}


def test_versions_of_torch_without_functorch_are_served() -> None:
    assert private._never(torch.ones(1)) is False
