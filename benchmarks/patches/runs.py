"""One training after the other, on one thread."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from tqdm import tqdm

from benchmarks.density.data import IMAGES, load
from benchmarks.density.training import Budget, evaluate, train
from benchmarks.patches.models import MODELS
from flowkit import bits_per_dim

__all__ = ["QUICK", "RECORD", "Contest", "run_all"]


@dataclass(frozen=True)
class Contest:
    """What is trained, and for how long."""

    budgets: Mapping[str, Budget]
    """By the data's name."""
    seeds: tuple[int, ...]


SMALL, LARGE = Budget(steps=300, batch=64, learning_rate=2e-3), Budget(steps=150, batch=32, learning_rate=2e-3)

RECORD = Contest({"digits": SMALL, "patches_8x8": SMALL, "patches_32x32": LARGE}, (0, 1, 2))
"""The comparison of record."""

QUICK = Contest({"digits": Budget(steps=3, batch=8, checks=1)}, (0, 1))
"""Far too short to compare anything: shows that all of it runs."""


def run_all(contest: Contest) -> Iterator[dict[str, Any]]:
    """One entry for each data set and model, with a figure for each seed."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        for name, model in tqdm([(n, m) for n in contest.budgets for m in MODELS], unit="model"):
            yield _entry(name, model, contest.budgets[name], contest.seeds)
    finally:
        torch.set_num_threads(threads)


def _entry(name: str, model: str, budget: Budget, seeds: Sequence[int]) -> dict[str, Any]:
    data, levels = load(name), IMAGES[name][1]
    bits, seconds, best = [], [], []
    for seed in seeds:
        torch.manual_seed(seed)
        density = MODELS[model](data.event, data.batch(1000, torch.Generator().manual_seed(seed)))
        trained = train(density, data, budget, seed)
        log_prob = evaluate(density, data.test).double().mean()
        bits.append(round(float(bits_per_dim(log_prob, data.test[0].numel(), levels)), 4))
        seconds.append(round(trained.seconds, 1))
        best.append(trained.best_step)
    return {
        "data": name,
        "model": model,
        "parameters": sum(parameter.numel() for parameter in density.module.parameters()),
        "bits": bits,
        "seconds": seconds,
        "best_step": best,
    }
