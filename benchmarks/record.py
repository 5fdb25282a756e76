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

__all__ = ["RESULTS", "machine", "processor", "read", "versions", "write"]

RESULTS = Path(__file__).parent / "results"
"""Where the results of record are."""


def machine() -> str:
    """The machine in a few words: ``2 CPU cores (AMD EPYC 7B13, x86_64, AVX2), 24 GB, no GPU``."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else "no GPU"
    kind = ", ".join(filter(None, (processor(), platform.machine(), torch.backends.cpu.get_cpu_capability())))
    return f"{os.cpu_count()} CPU cores ({kind}), {memory:.0f} GB, {gpu}"


def processor() -> str:
    """The name of the processor's model, as Linux tells it; elsewhere what Python tells, which may be nothing."""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text(encoding="utf-8").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return " ".join(value.split())
    return platform.processor()


def versions(distributions: Iterable[str], missing_too: bool = False) -> dict[str, str]:
    """Python's and flowkit's version, and those of other distributions.

    Args:
        distributions: their names.
        missing_too: whether one may be missing, and is then said to be; else it is an error.

    Raises:
        PackageNotFoundError: one is not installed.
    """
    found = {"python": platform.python_version(), "flowkit": flowkit.__version__}
    for name in distributions:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            if not missing_too:
                raise
            found[name] = "not installed"
    return found


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
