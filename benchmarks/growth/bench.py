"""The timings, for pytest-benchmark."""

from collections.abc import Callable

from benchmarks.alternating import take_turns
from benchmarks.growth.works import AXES, TRAINED, Point, degrade_work, train_work

# The slowest point takes half a minute.
ROUNDS = 2


def _cases(axis: str) -> dict[str, Point]:
    return {str(getattr(point, axis)): point for point in AXES[axis]}


def _degrade(axis: str) -> Callable[..., None]:
    return take_turns(_cases(axis), f"degrade: {axis}", ROUNDS)(degrade_work)


def _train(axis: str) -> Callable[..., None]:
    return take_turns(_cases(axis), f"train: {axis}", ROUNDS)(train_work)


for _axis in AXES:
    globals()[f"test_degrade_{_axis}"] = _degrade(_axis)
for _axis in TRAINED:
    globals()[f"test_train_{_axis}"] = _train(_axis)
