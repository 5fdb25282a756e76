"""How far the noise of a method's degraded images is from the real one."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from benchmarks.restoration.cell import Cell, run_deflow
from benchmarks.restoration.methods import ORACLE, variant
from flowkit_deflow.evaluation.evaluation import evaluate
from flowkit_deflow.evaluation.quantities.akld import AKLD
from flowkit_deflow.evaluation.quantities.histogram import DIVERGENCE
from flowkit_deflow.evaluation.quantities.noise_flow_kl import NOISE_FLOW_KL
from flowkit_deflow.evaluation.quantities.noise_level import NOISE_LEVEL
from flowkit_deflow.evaluation.quantities.per_image_kl import PER_IMAGE_DIVERGENCE
from flowkit_deflow.evaluation.quantities.spatial_correlation import SPATIAL_CORRELATION
from flowkit_deflow.files import write_text

__all__ = ["FIGURES", "makes_noise", "noise", "summary_of_noise"]

FIGURES = {
    "strength": "overall_std_ratio",
    "correlation": "lag1_difference",
    "kl": "kl",
    "per_image_kl": "per_image_kl",
    "noise_flow_kl": "noise_flow_kl",
    "akld": "akld",
}
"""The record's names of figures, and those of ``deflow evaluate``."""

# All that it measures takes three times as long.
QUANTITIES = (*NOISE_LEVEL, *SPATIAL_CORRELATION, *DIVERGENCE, *PER_IMAGE_DIVERGENCE, *NOISE_FLOW_KL, *AKLD)

Figures = Mapping[str, float | None]


def makes_noise(method: str) -> bool:
    """Whether a method has degraded images of its own: pairs have the real ones, a variant those of its base."""
    return method not in (ORACLE, "none") and variant(method).base == method


def noise(cell: Cell, root: Path) -> Figures:
    """The judged images' clean partners, degraded and compared with the really degraded ones; computed once.

    Args:
        cell: a cell that is computed, of a method that makes noise.
        root: folder of the cells.

    Returns:
        By name of ``FIGURES``; None for what is not defined.
    """
    folder = cell.folder(root)
    result, made = folder / "noise.json", folder / "degraded"
    track = cell.track
    if not result.exists():
        model, clean = folder / "degrader" / "model", track.judged_small
        run_deflow(["degrade", str(model), str(clean), str(made), "--seed", str(cell.seed)], folder / "log.txt")
        compared = evaluate(made, track.judged_degraded, clean, quantities=QUANTITIES).values["comparison"]
        values = {name: float(np.asarray(compared[key])) for name, key in FIGURES.items()}
        figures = {name: value if np.isfinite(value) else None for name, value in values.items()}
        write_text(result, json.dumps(figures, indent=1))
    known: Figures = json.loads(result.read_text(encoding="utf-8"))
    return known


def summary_of_noise(seeds: Sequence[Figures]) -> dict[str, dict[str, float | int | None]]:
    """Each figure's mean over seeds, how many they are, and the standard deviation between them (none for one seed).

    Examples:
        >>> summary_of_noise([{"kl": 0.1}, {"kl": 0.3}])["kl"]["mean"]
        0.2
    """
    result: dict[str, dict[str, float | int | None]] = {}
    for name in seeds[0]:
        values = [value for figures in seeds if (value := figures[name]) is not None]
        between = float(np.std(values, ddof=1)) if len(values) > 1 else None
        mean = float(np.mean(values)) if values else None
        result[name] = {"mean": mean, "seeds": len(seeds), "between_seeds": between}
    return result
