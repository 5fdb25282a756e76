"""Amortised posterior estimation: a conditional flow learns q(parameters | data) from simulations."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import ClassVar

import torch
from torch import Tensor

from benchmarks.density.architectures import Density, Masked, Spline
from benchmarks.density.data import Data
from benchmarks.density.training import Budget, stepper, train
from benchmarks.inference.c2st import c2st
from benchmarks.inference.job import Figures
from benchmarks.inference.simulator import Simulator
from benchmarks.inference.slcp import SLCP
from benchmarks.inference.two_moons import TWO_MOONS
from benchmarks.peers.model import Model

__all__ = ["SIMULATORS", "Posterior"]

SIMULATORS = {simulator.name: simulator for simulator in (TWO_MOONS, SLCP)}
"""By name."""

HELD_OUT = 0.1
"""Share of the simulations by which the best check of a training is chosen."""

OBSERVED_BY = 2021
"""Seed of the observations, which are the same for all, and of the reference draws."""


@dataclass(frozen=True)
class _Scale:
    """Simulations as rows of numbers of mean 0 and deviation 1: real parameters, then data."""

    simulator: Simulator
    mean: Tensor
    deviation: Tensor

    @classmethod
    def of(cls, simulator: Simulator, theta: Tensor, x: Tensor) -> "_Scale":
        rows = torch.cat([simulator.unbounded(theta), x], -1)
        return cls(simulator, rows.mean(0), rows.std(0))

    def rows(self, theta: Tensor, x: Tensor) -> Tensor:
        rows = torch.cat([self.simulator.unbounded(theta), x], -1)
        return ((rows - self.mean) / self.deviation).float()

    def context(self, x: Tensor) -> Tensor:
        """Of one data vector, ``1 x outputs``."""
        first = self.simulator.parameters
        return ((x - self.mean[first:]) / self.deviation[first:]).float()[None]

    def theta(self, scaled: Tensor) -> Tensor:
        """Parameters of what the flow draws."""
        last = self.simulator.parameters
        return self.simulator.bounded(scaled.double() * self.deviation[:last] + self.mean[:last])


@lru_cache
def _references(name: str, observations: int, draws: int) -> list[tuple[Tensor, Tensor]]:
    """Data vectors, and exact draws of the posterior of each."""
    simulator = SIMULATORS[name]
    generator = torch.Generator().manual_seed(OBSERVED_BY)
    _, data = simulator.draw(observations, generator)
    return [(x, simulator.posterior(x, draws, generator)) for x in data]


@dataclass(frozen=True)
class Posterior:
    """A conditional flow trained on a simulator's parameters and data."""

    kind: ClassVar[str] = "posterior"
    timed_as: ClassVar[str] = "training step"
    problem: str
    model: str
    library: str
    settings: Spline | Masked
    seed: int
    budget: Budget
    simulations: int = 10_000
    observations: int = 5
    draws: int = 1000
    """Of each posterior, and of its reference."""

    def measure(self) -> Figures:
        """How well draws are told from exact ones, in the mean over the observations."""
        model, scale, data = self._made()
        trained = train(self._density(model), data, self.budget, self.seed)
        model.module.eval()
        torch.manual_seed(self.seed)
        told = []
        for x, reference in _references(self.problem, self.observations, self.draws):
            with torch.no_grad():
                drawn = scale.theta(model.sample(self.draws, scale.context(x)))
            told.append(c2st(reference, drawn))
        return {"C2ST": sum(told) / len(told), "seconds": trained.seconds}

    def timed(self) -> Callable[[], object]:
        model, _, data = self._made()
        batch = data.train[: self.budget.batch]
        return partial(stepper(self._density(model), self.budget), batch)

    def _made(self) -> tuple[Model, _Scale, Data]:
        simulator = SIMULATORS[self.problem]
        theta, x = simulator.draw(self.simulations, torch.Generator().manual_seed(self.seed))
        scale = _Scale.of(simulator, theta, x)
        held_out = int(HELD_OUT * self.simulations)
        validation, training = scale.rows(theta, x).split([held_out, self.simulations - held_out])
        data = Data(
            simulator.name, simulator.description, training, torch.zeros(training.shape[1:]), validation, validation
        )
        torch.manual_seed(self.seed)
        make = getattr(importlib.import_module(f"benchmarks.peers.conditional.{self.library}_models"), self.model)
        return make((simulator.parameters,), self.settings, simulator.outputs), scale, data

    def _density(self, model: Model) -> Density:
        """The flow as one of whole rows."""
        last = SIMULATORS[self.problem].parameters
        return Density(model.module, lambda rows: model.log_prob(rows[:, :last], rows[:, last:]))
