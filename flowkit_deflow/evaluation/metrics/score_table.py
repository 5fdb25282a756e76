"""Scores as a table and as JSON."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from flowkit_deflow.evaluation.metrics.scores import Scores

__all__ = ["format_scores", "scores_to_json"]

HEAD = ("metric", "mean", "95 % interval", "images")


def format_scores(scores: Sequence[Scores]) -> str:
    """Scores as the lines of a table, each with an arrow that says which way the metric points."""
    rows = [HEAD, *(_row(entry) for entry in scores)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(HEAD))]
    lines = [
        "  ".join([name.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells, widths[1:], strict=True))])
        for name, *cells in rows
    ]
    identical = [
        f"{entry.identical} identical, left out of the mean of {entry.name}" for entry in scores if entry.identical
    ]
    return "\n".join([*lines, *identical])


def _row(scores: Scores) -> tuple[str, str, str, str]:
    interval = scores.interval
    between = "" if interval is None else f"{interval[0]:.4g} to {interval[1]:.4g}"
    return (
        f"{scores.name} ({scores.metric.better.value} is better)",
        f"{scores.mean:.4f}",
        between,
        str(len(scores.values)),
    )


def scores_to_json(scores: Sequence[Scores], root: Path) -> dict[str, Mapping[str, Any]]:
    """Scores as JSON holds them.

    Args:
        scores: the scores.
        root: images are named by their paths below this folder.

    Returns:
        By the metric's key: ``name`` with its variant, ``better``, ``mean``, ``low`` and ``high`` of the 95 % interval
        (null for fewer than five scenes), ``identical``, the number of images that equal their references and are left
        out of the mean of a metric without a number for that, and ``values`` by image; null for no number.
    """
    return {entry.metric.key: _record(entry, root) for entry in scores}


def _record(scores: Scores, root: Path) -> Mapping[str, Any]:
    low, high = scores.interval or (None, None)
    return {
        "name": scores.name,
        "better": scores.metric.better.value,
        "mean": _finite(scores.mean),
        "low": low,
        "high": high,
        "identical": scores.identical,
        "values": {
            (path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)): _finite(value)
            for path, value in scores.values.items()
        },
    }


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
