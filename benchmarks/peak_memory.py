"""Peak memory of one piece of work in a process of its own."""

import importlib
import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

__all__ = ["peak_memory", "resident", "resident_peak"]


def peak_memory(function: str, *arguments: str) -> dict[str, Any]:
    """Run a function in a new process and see how far its memory grew.

    Args:
        function: ``module:name`` of a function that takes strings, makes everything ready and returns the work, a
            function without arguments.
        arguments: what it is given.

    Returns:
        ``ready``: the process's peak resident memory before the work, ``peak``: after it; both in GB (1e9 bytes).

    Raises:
        CalledProcessError: the work failed.
    """
    command = [sys.executable, "-m", "benchmarks.peak_memory", function, *arguments]
    output = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    result: dict[str, Any] = json.loads(output.splitlines()[-1])
    return result


def resident() -> float:
    """Peak resident memory of this process so far, in GB."""
    # Not getrusage's figure on Linux, where it begins with what the parent process had when this one was started.
    peak = resident_peak(os.getpid())
    if peak is not None:
        return peak
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024) / 1e9


def resident_peak(process: int) -> float | None:
    """Peak resident memory of a process so far, in GB; ``None`` where the system keeps none of it, or it has ended."""
    try:
        status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    except (FileNotFoundError, ProcessLookupError):
        return None
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024 / 1e9
    return None


def _main() -> None:
    module, name = sys.argv[1].split(":")
    work = getattr(importlib.import_module(module), name)(*sys.argv[2:])
    ready = resident()
    work()
    print(json.dumps({"ready": round(ready, 3), "peak": round(resident(), 3)}))


if __name__ == "__main__":
    _main()
