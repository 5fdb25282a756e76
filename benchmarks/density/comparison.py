"""From runs to figures: means, their noise, and whether flowkit is behind.

**Within noise.** For each model and data set, flowkit's mean held-out log-likelihood over the seeds is compared with
that of its best peer. Two things would make the difference come out otherwise another time, and are counted as its
variance:

- other seeds: the variance of the difference of two means of n runs, (s_flowkit² + s_peer²) / n, from the runs'
  deviations s;
- other held-out samples: both models are judged on the same ones, so what counts is the variance of the difference,
  sample by sample, of the log-likelihoods averaged over the seeds, divided by the number of samples.

flowkit is *behind* where its mean is lower than the best peer's by more than two standard errors, the root of that sum;
*ahead* where it is higher by more than two. The rule is harder on flowkit than on its peers: the best of three means is
above the true mean of equals more often than below, so that even if all libraries were the same, some few cells
would be called behind.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from benchmarks.density.data import load
from benchmarks.density.runs import Run

__all__ = ["ERRORS", "beside", "summarise", "verdict"]

ERRORS = 2.0
"""Standard errors that a difference must have to be called one."""


def summarise(runs: Iterable[Run]) -> list[dict[str, Any]]:
    """One entry for each group, data and model, with the figures of every library that has it."""
    cells: dict[tuple[str, str, str], dict[str, list[Run]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        job = run.job
        cells[job.group.name, job.data, job.model][job.library].append(run)
    return [_cell(*key, libraries) for key, libraries in cells.items()]


def beside(known: Sequence[dict[str, Any]], new: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Entries of a record, those of the same group, data and model replaced by new ones."""
    entries = {tuple(entry[key] for key in ("group", "data", "model")): entry for entry in (*known, *new)}
    return list(entries.values())


def _cell(group: str, data: str, model: str, libraries: Mapping[str, list[Run]]) -> dict[str, Any]:
    loaded = load(data)
    return {
        "group": group,
        "data": data,
        "model": model,
        "dimensions": int(np.prod(loaded.event)),
        "samples": [len(loaded.train), len(loaded.validation), len(loaded.test)],
        "bound": _rounded(loaded.bound),
        "gaussian": _rounded(loaded.gaussian()),
        "uniform": _rounded(loaded.uniform()),
        "libraries": {library: _figures(runs, libraries["flowkit"]) for library, runs in libraries.items()},
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 4)


def _figures(runs: list[Run], ours: list[Run]) -> dict[str, Any]:
    per_seed = np.array([run.log_likelihood.mean(dtype=np.float64) for run in runs])
    difference = _mean_over_seeds(runs) - _mean_over_seeds(ours)
    return {
        "log_likelihood": [round(float(value), 4) for value in per_seed],
        "mean": round(float(per_seed.mean()), 4),
        "deviation": round(float(per_seed.std(ddof=1)), 4),
        # Of this library's mean less flowkit's, were other samples held out: 0 for flowkit itself.
        "sample_error": round(float(difference.std(ddof=1) / np.sqrt(len(difference))), 4),
        "parameters": runs[0].parameters,
        "seconds": round(float(np.mean([run.seconds for run in runs])), 2),
        "best_step": [run.best_step for run in runs],
    }


def _mean_over_seeds(runs: list[Run]) -> np.ndarray[Any, np.dtype[np.float64]]:
    return np.mean([run.log_likelihood for run in runs], axis=0, dtype=np.float64)


def verdict(cell: Mapping[str, Any]) -> tuple[str, str, float, float]:
    """``within``, ``ahead`` or ``behind``; the best peer; flowkit's mean less that peer's; its standard error.

    ``alone`` where no peer has such a model.
    """
    libraries = dict(cell["libraries"])
    ours = libraries.pop("flowkit")
    if not libraries:
        return "alone", "none", 0.0, 0.0
    best = max(libraries, key=lambda library: libraries[library]["mean"])
    peer = libraries[best]
    runs = len(ours["log_likelihood"])
    error = float(np.sqrt((ours["deviation"] ** 2 + peer["deviation"] ** 2) / runs + peer["sample_error"] ** 2))
    difference = ours["mean"] - peer["mean"]
    if abs(difference) <= ERRORS * error:
        return "within", best, difference, error
    return ("ahead" if difference > 0 else "behind"), best, difference, error
