"""An evaluation as JSON."""

import json
import math
from pathlib import Path

import numpy as np

from flowkit_deflow.evaluation.evaluation import Evaluation
from flowkit_deflow.files import write_text

__all__ = ["to_json", "write_json"]

OBJECTS = ("real", "generated", "comparison", "fidelity")


def to_json(evaluation: Evaluation) -> dict[str, object]:
    """Put an evaluation into plain numbers, lists and strings, as JSON holds them.

    Args:
        evaluation: the evaluation.

    Returns:
        The objects `real`, `generated` (and one for each further set of images, in [0, 1] units), `comparison`,
        `fidelity` (None without clean images that both sets show), `intervals` (the 95 % interval over images of main
        comparisons, empty for under five images), and `against_clean`, `cautions`, `warnings`. Numbers that are NaN or
        infinite, which JSON has no signs for, become None.
    """
    values = evaluation.values
    names = dict.fromkeys([*OBJECTS, *values])
    objects = {name: _plain(values[name]) if name in values else None for name in names}
    return {
        "against_clean": evaluation.against_clean,
        **objects,
        "intervals": {key: _plain(list(interval)) for key, interval in evaluation.intervals.items()},
        "cautions": list(evaluation.cautions),
        "warnings": list(evaluation.warnings),
    }


def write_json(path: Path, evaluation: Evaluation) -> None:
    """Write :func:`to_json` to a file, whole or not at all.

    Args:
        path: the file.
        evaluation: the evaluation.

    Raises:
        UserError: it cannot be written.
    """
    write_text(path, json.dumps(to_json(evaluation), indent=2) + "\n")


def _plain(value: object) -> object:
    if isinstance(value, dict):
        return {name: _plain(entry) for name, entry in value.items()}
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
