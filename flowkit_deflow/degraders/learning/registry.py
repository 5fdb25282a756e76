"""Every degrader that ``deflow train --degrader`` learns, besides DeFlow."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from flowkit_deflow.degraders.learning.adversarial import (
    train_cyclegan,
    train_dasr,
    train_frequency_separation,
    train_pdm,
)
from flowkit_deflow.degraders.learning.closed_form import (
    measure_camera_noise,
    measure_white_noise,
    mix,
    no_degradation,
    write_down,
)
from flowkit_deflow.degraders.learning.impressionism import collect_noise
from flowkit_deflow.degraders.learning.learner import Learned, Learner
from flowkit_deflow.settings.degrader_presets import DEGRADER_PRESETS

__all__ = ["LEARNERS"]

_LEARN: dict[str, Callable[[Any, Path, bool], Learned]] = {
    "none": no_degradation,
    "white": measure_white_noise,
    "camera": measure_camera_noise,
    "impressionism": collect_noise,
    "frequency_separation": train_frequency_separation,
    "dasr": train_dasr,
    "cyclegan": train_cyclegan,
    "pdm": train_pdm,
    "handwritten": write_down,
    "mixture": mix,
}

LEARNERS: dict[str, Learner] = {name: Learner(name, DEGRADER_PRESETS[name], learn) for name, learn in _LEARN.items()}
