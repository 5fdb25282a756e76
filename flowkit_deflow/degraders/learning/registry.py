"""Every degrader that ``deflow train --degrader`` learns, besides DeFlow."""

from dataclasses import replace

from flowkit_deflow.degraders.learning.closed_form import (
    measure_camera_noise,
    measure_white_noise,
    mix,
    no_degradation,
)
from flowkit_deflow.degraders.learning.impressionism import collect_noise
from flowkit_deflow.degraders.learning.learner import Learner
from flowkit_deflow.settings.degraders import (
    CameraRun,
    ImpressionismRun,
    KernelEstimation,
    MixtureRun,
    NoisePatches,
    NoneRun,
    WhiteNoiseSettings,
    WhiteRun,
)

__all__ = ["LEARNERS"]

# Small images of few hundred pixels have no flat patches of the paper's size.
_SMALL_IMPRESSIONISM = ImpressionismRun(
    patches=NoisePatches(side=32, max_variance=None),
    kernels=KernelEstimation(images=0, steps=600, channels=16, learning_rate=1e-3),
)
_PAPER_IMPRESSIONISM = ImpressionismRun(kernels=KernelEstimation(images=100))

_ALL = (
    Learner("none", {"small": NoneRun()}, no_degradation),
    Learner(
        "white",
        {"small": WhiteRun(), "uniform": WhiteRun(noise=WhiteNoiseSettings(uniform=True))},
        measure_white_noise,
    ),
    Learner("camera", {"small": CameraRun()}, measure_camera_noise),
    Learner(
        "impressionism",
        {
            "small": _SMALL_IMPRESSIONISM,
            "paper": _PAPER_IMPRESSIONISM,
            "dped": replace(_PAPER_IMPRESSIONISM, patches=NoisePatches(min_mean=50.0)),
        },
        collect_noise,
    ),
    Learner("mixture", {"small": MixtureRun()}, mix),
)

LEARNERS: dict[str, Learner] = {learner.name: learner for learner in _ALL}
