"""Results of jobs, each kept in a file of its own: a comparison that was broken off goes on where it was."""

import hashlib
import json
import time
from dataclasses import asdict, is_dataclass
from pathlib import Path
from typing import Any

from benchmarks import record as records
from benchmarks.inference.job import Job

__all__ = ["measured"]


def measured(job: Job, folder: Path) -> dict[str, Any]:
    """A job's figures, computed only if the folder does not hold them.

    Args:
        job: what is asked.
        folder: where results are kept.

    Returns:
        ``job``, its fields; ``figures``, by name; and ``minutes``, what they took.
    """
    asked = _asked(job)
    name = hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]
    path = folder / f"{name}.json"
    if not path.exists():
        start = time.monotonic()
        figures = job.measure()
        minutes = (time.monotonic() - start) / 60
        records.write(path, {"job": asked, "figures": figures, "minutes": minutes})
    return records.read(path)


def _asked(job: Job) -> dict[str, Any]:
    assert is_dataclass(job)
    return {"kind": job.kind, **asdict(job)}
