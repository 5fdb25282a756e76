"""Training: Adam on the negative log-likelihood, the same for every library."""

import copy
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from benchmarks.density.architectures import Density
from benchmarks.density.data import Data

__all__ = ["Budget", "Trained", "evaluate", "minimiser", "stepper", "train"]


@dataclass(frozen=True)
class Budget:
    """How long, and how fast, a model learns."""

    steps: int
    batch: int = 256
    learning_rate: float = 5e-3
    """At the start; it falls to zero along half a cosine."""
    largest_gradient: float = 10.0
    """Gradients of a larger norm are scaled down to it."""
    checks: int = 10
    """How often the validation samples are scored; the parameters of the best score are those that are tested."""


@dataclass(frozen=True)
class Trained:
    """What became of a model, whose parameters are those of the best check."""

    seconds: float
    """Processor time of the steps alone."""
    best_step: int
    """Steps after which it was best on the validation samples; 0 if no check gave a finite score."""


def minimiser(
    parameters: Sequence[nn.Parameter], steps: int, learning_rate: float, largest_gradient: float
) -> Callable[[Callable[[], Tensor]], None]:
    """What takes one step down a loss at each call; the learning rate falls to zero along half a cosine."""
    optimizer = torch.optim.Adam(parameters, lr=learning_rate, fused=True)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)

    def minimise(loss: Callable[[], Tensor]) -> None:
        optimizer.zero_grad()
        loss().backward()
        nn.utils.clip_grad_norm_(parameters, largest_gradient)
        optimizer.step()
        schedule.step()

    return minimise


def stepper(density: Density, budget: Budget) -> Callable[[Tensor], None]:
    """What takes one step of maximum likelihood on a batch at each call."""
    minimise = minimiser(list(density.module.parameters()), budget.steps, budget.learning_rate, budget.largest_gradient)
    return lambda batch: minimise(lambda: -density.log_prob(batch).mean())


def train(density: Density, data: Data, budget: Budget, seed: int) -> Trained:
    """Train in place. The seed sets the batches and their noise, and nothing of the model."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        density.start(data.batch(budget.batch, generator))
    take_step = stepper(density, budget)
    best_score, best_step, best_state = -float("inf"), 0, copy.deepcopy(density.module.state_dict())
    seconds = 0.0
    for step in range(1, budget.steps + 1):
        start = time.process_time()
        take_step(data.batch(budget.batch, generator))
        seconds += time.process_time() - start
        if step * budget.checks // budget.steps > (step - 1) * budget.checks // budget.steps:
            score = float(evaluate(density, data.validation).mean())
            if score > best_score:
                best_score, best_step, best_state = score, step, copy.deepcopy(density.module.state_dict())
    density.module.load_state_dict(best_state)
    return Trained(seconds, best_step)


@torch.no_grad()
def evaluate(density: Density, x: Tensor) -> Tensor:
    """Log-likelihood of each sample, in nats."""
    density.module.eval()
    scores = torch.cat([density.log_prob(part) for part in x.split(2000)])
    density.module.train()
    return scores
