"""The timings, for pytest-benchmark."""

from collections.abc import Callable, Iterable
from functools import partial

from benchmarks.alternating import take_turns
from benchmarks.deflow.works import CHOICES, one_image_work, samples_work, training_work, whole_image_work
from benchmarks.own_process import OwnProcess, Prepare


def _apart(prepare: Prepare) -> Callable[[], object]:
    return OwnProcess(prepare)


def benchmark(
    group: str, work: Callable[[str], Callable[[], object]], implementations: Iterable[str], rounds: int
) -> Callable[..., None]:
    """Some implementations at one work, in turn."""
    cases = {name: partial(work, name) for name in implementations}
    return take_turns(cases, group, rounds, settle=False)(_apart)


PAIR = ("plain", "flowkit")
# All seven choices at once would take more memory than there is.
IN_LESS_MEMORY = [name for name in CHOICES if name not in PAIR]

test_degrade = benchmark("degrade one 160 x 160 image", one_image_work, PAIR, 15)
test_samples = benchmark("8 samples of one image", samples_work, [*PAIR, "plain, encoded once"], 5)
test_whole_image = benchmark("degrade one 510 x 339 image", whole_image_work, PAIR, 5)
test_training = benchmark("training step of 8 crops", training_work, PAIR, 7)
test_training_in_less_memory = benchmark("training step of 8 crops", training_work, IN_LESS_MEMORY, 5)
