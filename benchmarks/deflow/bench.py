"""The timings, for pytest-benchmark."""

from collections.abc import Callable
from functools import partial

from benchmarks.alternating import take_turns
from benchmarks.deflow.networks import aim, images
from benchmarks.deflow.works import CHOICES, WHOLE_IMAGE, Choice, TrainingStep, degrade, plain_degrade

Degrade = Callable[..., object]

PAIR: dict[str, Degrade] = {"plain": plain_degrade, "flowkit": degrade}


@take_turns(PAIR, "degrade one 160 x 160 image", rounds=7)
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


@take_turns(CHOICES, "training step of 8 crops", rounds=5)
def test_training(choice: Choice) -> Callable[[], object]:
    return TrainingStep(choice)
