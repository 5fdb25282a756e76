"""A package of someone else's, whose test file has three lines."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import flowkit
from flowkit import Squeeze
from flowkit.testing import PROPERTIES, Case
from flowkit.testing.pytest import contract_tests

LAYERS = """
import torch
from flowkit import Bijector, sum_event


class Double(Bijector):
    def _forward(self, x, prepared):
        return 2 * x, sum_event(torch.full_like(x, 2.0).log(), 1)

    def _inverse(self, z, prepared):
        return z / 2, -sum_event(torch.full_like(z, 2.0).log(), 1)


class Wrong(Double):
    def _inverse(self, z, prepared):
        return z / 2, sum_event(torch.full_like(z, 2.0).log(), 1)
"""

THREE_LINES = """\
from flowkit.testing.pytest import Case, contract_tests
from their_layers import {name}
test_contract = contract_tests({{"{name}": Case({name}, event=(4,){more})}})
"""


@pytest.fixture
def package(tmp_path: Path) -> Path:
    (tmp_path / "their_layers.py").write_text(LAYERS)
    return tmp_path


# So that a working tree which is not installed is found from another folder.
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(flowkit.__file__).parents[1])}


def test_each_property_becomes_one_test(package: Path) -> None:
    (package / "test_sound.py").write_text(THREE_LINES.format(name="Double", more=""))
    exempt = ', exempt={"log_dets_cancel": "known since March"}'
    (package / "test_wrong.py").write_text(THREE_LINES.format(name="Wrong", more=exempt))
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-q", "-rfs"],
        cwd=package,
        env=ENVIRONMENT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert ran.returncode == 1, ran.stdout + ran.stderr
    # All of the sound layer's, and all of the other's but those.
    assert f"1 failed, {2 * len(PROPERTIES) - 2} passed, 1 skipped" in ran.stdout
    lines = ran.stdout.splitlines()
    failed = [line.split()[1] for line in lines if line.startswith("FAILED")]
    assert failed == ["test_wrong.py::test_contract[Wrong-log_det_of_jacobian]"]
    assert "the log-determinant of inverse against its autograd Jacobian's is off by" in ran.stdout
    (skipped,) = (line for line in lines if line.startswith("SKIPPED"))
    assert "Wrong is exempt from log_dets_cancel: known since March" in skipped


def test_names_come_with_their_property() -> None:
    test = contract_tests({"a": Case(Squeeze, (1, 2, 2)), "b": Case(Squeeze, (2, 2, 4))}, properties=PROPERTIES[:2])
    (mark,) = test.pytestmark  # type: ignore[attr-defined]
    first, second = (prop.id for prop in PROPERTIES[:2])
    assert [parameter.id for parameter in mark.args[1]] == [f"a-{first}", f"a-{second}", f"b-{first}", f"b-{second}"]


def test_each_bijector_is_made_once_for_its_tests() -> None:
    made = []

    def make() -> Squeeze:
        made.append(1)
        return Squeeze()

    reading = [prop for prop in PROPERTIES if prop.id in {"round_trip_of_data", "round_trip_of_latents", "bind"}]
    test = contract_tests({"it": Case(make, (1, 2, 2))}, seeds=(0,), properties=reading)
    for prop in reading:
        test("it", prop.id)
    # In each of three states.
    assert len(made) == 3


def test_an_exemption_from_nothing_is_named() -> None:
    with pytest.raises(ValueError, match="exempt names no property: logdet"):
        contract_tests({"it": Case(Squeeze, (1, 2, 2), exempt={"logdet": "a slip"})})


WITHOUT = """
import sys
for missing in ("hypothesis", "pytest"):
    sys.modules[missing] = None
import flowkit.testing, flowkit.testing.catalogue, flowkit.testing.__main__
assert flowkit.testing.check_bijector(flowkit.Squeeze, (1, 2, 2), seeds=(0,), properties=flowkit.testing.PROPERTIES[:3])
try:
    import flowkit.testing.strategies
except ModuleNotFoundError as error:
    print(error)
try:
    import flowkit.testing.pytest
except ModuleNotFoundError as error:
    print(error)
"""


def test_the_check_needs_neither_hypothesis_nor_pytest() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", WITHOUT], env=ENVIRONMENT, capture_output=True, text=True, check=False, timeout=120
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.splitlines() == [
        "flowkit.testing.strategies needs hypothesis: pip install 'flowkit-core[testing]'",
        "flowkit.testing.pytest needs pytest: pip install 'flowkit-core[testing]'",
    ]
