"""The timings, for pytest-benchmark."""

from collections.abc import Callable
from functools import partial

from benchmarks.alternating import take_turns
from benchmarks.deflow.networks import aim, images
from benchmarks.deflow.works import CHOICES, WHOLE_IMAGE, degrade, plain_degrade, training_work
from benchmarks.own_process import OwnProcess

Degrade = Callable[..., object]

PAIR: dict[str, Degrade] = {"plain": plain_degrade, "flowkit": degrade}


@take_turns(PAIR, "degrade one 160 x 160 image", rounds=15)
def test_degrade(function: Degrade) -> Callable[[], object]:
    return partial(function, aim().eval(), images(1), 1)


@take_turns(
    PAIR | {"plain, encoded once": partial(plain_degrade, encode_once=True)}, "8 samples of one image", rounds=5
)
def test_samples(function: Degrade) -> Callable[[], object]:
    return partial(function, aim().eval(), images(1), 8)


@take_turns(PAIR, "degrade one 510 x 339 image", rounds=5)
def test_whole_image(function: Degrade) -> Callable[[], object]:
    return partial(function, aim().eval(), images(1, *WHOLE_IMAGE), 1)


# All seven at once would take more memory than there is.
PLAIN_AND_FLOWKIT, IN_LESS_MEMORY = list(CHOICES)[:2], list(CHOICES)[2:]


def training_apart(implementation: str) -> Callable[[], object]:
    return OwnProcess(partial(training_work, implementation))


test_training, test_training_in_less_memory = (
    take_turns({name: name for name in names}, "training step of 8 crops", rounds, settle=False)(training_apart)
    for names, rounds in ((PLAIN_AND_FLOWKIT, 7), (IN_LESS_MEMORY, 5))
)
