"""From runs to figures: means, spreads over the seeds, and whether flowkit is behind.

For every figure, flowkit's mean over the seeds is compared with that of its best peer. It is *behind* where it is worse
by more than two standard errors of the difference of the means, and *ahead* where it is better by more than two. With
deviations s of n seeds each, a standard error is the root of (s_flowkit² + s_peer²) / n. As in ``benchmarks density``,
the rule is harder on flowkit than on its peers where there are several.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

from benchmarks.density.comparison import ERRORS
from benchmarks.inference.neutra import NO_FLOW
from benchmarks.inference.suite import OWN

__all__ = ["FIGURES", "Figure", "summarise", "verdict"]


@dataclass(frozen=True)
class Figure:
    """One that flows are judged by."""

    name: str
    unit: str
    sign: int
    """1 where more is better, -1 where less is."""


FIGURES: dict[str, tuple[Figure, ...]] = {
    "reverse KL": (Figure("KL", "nats", -1), Figure("ESS", "share of the samples", 1)),
    "posterior": (Figure("C2ST", "accuracy", -1),),
    "NeuTra": (Figure("ESS per second", "1/s", 1), Figure("error", "deviations", -1)),
}
"""By the kind of job."""


def summarise(cells: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """One entry for each kind, problem and model: every library's figures, a number for each seed."""
    rows: dict[tuple[str, str, str], dict[str, dict[str, list[float]]]] = {}
    for cell in cells:
        job = cell["job"]
        libraries = rows.setdefault((job["kind"], job["problem"], job["model"]), {})
        figures = libraries.setdefault(job["library"], {})
        for name, value in cell["figures"].items():
            figures.setdefault(name, []).append(float(f"{value:.4g}"))
    return [
        {"kind": kind, "problem": problem, "model": model, "libraries": libraries}
        for (kind, problem, model), libraries in rows.items()
    ]


def verdict(figure: Figure, libraries: Mapping[str, Mapping[str, Sequence[float]]]) -> tuple[str, str]:
    """``within``, ``ahead`` or ``behind``, and the best peer."""
    numbers = {library: figures[figure.name] for library, figures in libraries.items() if library != NO_FLOW}
    ours = numbers.pop(OWN)
    best = max(numbers, key=lambda library: figure.sign * mean(numbers[library]))
    peer = numbers[best]
    error = ((stdev(ours) ** 2 + stdev(peer) ** 2) / len(ours)) ** 0.5
    better = figure.sign * (mean(ours) - mean(peer))
    if abs(better) <= ERRORS * error:
        return "within", best
    return ("ahead" if better > 0 else "behind"), best
