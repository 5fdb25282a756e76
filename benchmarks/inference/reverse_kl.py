"""Variational inference: a flow learns a density that is known, from its own samples."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from benchmarks.density.architectures import Masked, Spline
from benchmarks.density.training import minimiser
from benchmarks.inference.job import Figures, module_of
from benchmarks.inference.sampler import Sampler
from benchmarks.inference.targets import TARGETS, Target
from flowkit.losses import effective_sample_size

__all__ = ["Descent", "ReverseKL", "built", "descend", "stepper"]


@dataclass(frozen=True)
class Descent:
    """How long, and how fast, a flow learns."""

    steps: int
    batch: int = 256
    learning_rate: float = 2e-3
    """At the start; it falls to zero along half a cosine."""
    largest_gradient: float = 10.0
    """Gradients of a larger norm are scaled down to it."""


WARM_UP = 5
"""Steps whose time is not counted."""


def built(target: Target, model: str, library: str, settings: Spline | Masked, seed: int) -> Sampler:
    """The untrained flow; the seed goes on to be that of the samples it learns from."""
    torch.manual_seed(seed)
    sampler: Sampler = getattr(module_of(library), model)(target.features, settings)
    return sampler


def stepper(sampler: Sampler, target: Target, descent: Descent) -> Callable[[], None]:
    """What takes one step of the training at each call."""
    parameters = list(sampler.module.parameters())
    minimise = minimiser(parameters, descent.steps, descent.learning_rate, descent.largest_gradient)
    return lambda: minimise(lambda: sampler.reverse_kl(target.log_density, descent.batch))


def descend(sampler: Sampler, target: Target, descent: Descent) -> float:
    """Train in place; processor time of the steps after the first few, in seconds, as if all had taken as long."""
    step = stepper(sampler, target, descent)
    warm = min(WARM_UP, descent.steps - 1)
    for _ in range(warm):
        step()
    start = time.process_time()
    for _ in range(descent.steps - warm):
        step()
    return (time.process_time() - start) * descent.steps / (descent.steps - warm)


@dataclass(frozen=True)
class ReverseKL:
    """A flow trained by the reverse divergence from a target."""

    kind: ClassVar[str] = "reverse KL"
    timed_as: ClassVar[str] = "training step"
    problem: str
    model: str
    library: str
    settings: Spline | Masked
    seed: int
    descent: Descent
    samples: int = 20_000
    """By which the trained flow is judged."""

    def measure(self) -> Figures:
        """The divergence, in nats, minus the evidence lower bound of a density that is normalised; and the ESS."""
        target = TARGETS[self.problem]
        sampler = built(target, self.model, self.library, self.settings, self.seed)
        seconds = descend(sampler, target, self.descent)
        log_weights = self._log_weights(sampler, target)
        return {
            "KL": float(-log_weights.mean()),
            "ESS": float(effective_sample_size(log_weights) / len(log_weights)),
            "seconds": seconds,
        }

    def timed(self) -> Callable[[], object]:
        target = TARGETS[self.problem]
        sampler = built(target, self.model, self.library, self.settings, self.seed)
        return stepper(sampler, target, self.descent)

    @torch.no_grad()
    def _log_weights(self, sampler: Sampler, target: Target) -> Tensor:
        sampler.module.eval()
        x, log_prob = sampler.draw(self.samples)
        return target.log_density(x).double() - log_prob.double()
