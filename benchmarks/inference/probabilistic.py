"""The targets as models of Pyro's."""

from collections.abc import Callable, Mapping

import pyro
import pyro.distributions as dist
import torch
from torch import Tensor

from benchmarks.inference.targets import BANANA_DEVIATION, CURVATURE, FUNNEL, FUNNEL_DEVIATION

__all__ = ["MODELS", "joined"]


def _funnel() -> None:
    neck = pyro.sample("neck", dist.Normal(0.0, FUNNEL_DEVIATION))
    scale = (neck / 2).exp()[..., None]
    pyro.sample("others", dist.Normal(0.0, scale).expand([*scale.shape[:-1], FUNNEL.features - 1]).to_event(1))


def _banana() -> None:
    first = pyro.sample("first", dist.Normal(0.0, BANANA_DEVIATION))
    pyro.sample("second", dist.Normal(CURVATURE * (first.square() - BANANA_DEVIATION**2), 1.0))


MODELS: Mapping[str, Callable[[], None]] = {"funnel": _funnel, "banana": _banana}
"""By the target's name; the variables, one after the other, are its features."""


def joined(samples: Mapping[str, Tensor]) -> Tensor:
    """The variables' samples as a target's, ``number x features``."""
    number = len(next(iter(samples.values())))
    return torch.cat([value.reshape(number, -1) for value in samples.values()], -1)
