"""How a benchmark's results are kept: one JSON file each, with the machine, the versions and the settings."""

import importlib.metadata
import json
import os
import platform
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch

import flowkit
from flowkit.nn.processor import processor_vendor

__all__ = ["RESULTS", "machine", "read", "versions", "write"]

RESULTS = Path(__file__).parent / "results"
"""Where the results of record are."""


def machine() -> str:
    """The machine in a few words: ``2 CPU cores (x86_64, GenuineIntel, AVX512), 24 GB, no GPU``."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    kind = ", ".join(filter(None, (platform.machine(), processor_vendor(), torch.backends.cpu.get_cpu_capability())))
    return f"{os.cpu_count()} CPU cores ({kind}), {memory:.0f} GB, {gpu}"


def versions(distributions: Iterable[str]) -> dict[str, str]:
    """Python's and flowkit's version, and those of installed distributions."""
    own = {"python": platform.python_version(), "flowkit": flowkit.__version__}
    return own | {name: importlib.metadata.version(name) for name in distributions}


def write(path: Path, record: Mapping[str, Any]) -> None:
    """Write whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    text = json.dumps(record, indent=1, allow_nan=False, ensure_ascii=False) + "\n"
    with tempfile.NamedTemporaryFile("w", dir=path.parent, suffix=".part", delete=False, encoding="utf-8") as file:
        file.write(text)
    # A temporary file is its owner's alone.
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def read(path: Path) -> dict[str, Any]:
    """A record that :func:`write` wrote."""
    record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return record
