"""One ``deflow degrade`` in a process of its own, and the most memory that it had."""

import os
import pty
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.peak_memory import resident_peak

__all__ = ["Case", "degrade"]

LOOK_EVERY = 0.5  # seconds


@dataclass(frozen=True)
class Case:
    """What is degraded.

    Attributes:
        height: of the photograph, in pixels.
        width: likewise.
        samples: versions that are made of it.
    """

    height: int
    width: int
    samples: int


def degrade(model: Path, photograph: Path, case: Case, out: Path, minutes: float) -> dict[str, Any]:
    """Degrade a photograph, for at most so long.

    Args:
        model: the model folder.
        photograph: of the case's size.
        case: what it is.
        out: folder of the versions.
        minutes: after which it is ended.

    Returns:
        ``share`` of the work that was done, 1 if it ended well; ``minutes`` that it took; ``peak`` memory of the
        process in GB, as the system kept it.

    Raises:
        RuntimeError: the command failed.
    """
    command = [sys.executable, "-m", "flowkit_deflow", "degrade", str(model), str(photograph), str(out)]
    command += ["--samples", str(case.samples), "--device", "cpu"]
    # On a terminal of its own, the command shows how far it has come.
    terminal, its_end = pty.openpty()
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=its_end)
    os.close(its_end)
    os.set_blocking(terminal, False)
    shown, peak = "", 0.0
    while process.poll() is None and time.monotonic() - started < 60 * minutes:
        time.sleep(LOOK_EVERY)
        peak = max(peak, resident_peak(process.pid) or 0.0)
        shown = (shown + _read(terminal))[-2000:]
    took = (time.monotonic() - started) / 60
    ended = process.poll() is not None
    if not ended:
        process.kill()
        process.wait()
    os.close(terminal)
    if ended and process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with status {process.returncode}: {shown[-500:]}")
    shares = re.findall(r"(\d+)% of the next", shown)
    share = 1.0 if ended else float(shares[-1]) / 100 if shares else 0.0
    return {"share": share, "minutes": round(took, 2), "peak": round(peak, 3)}


def _read(terminal: int) -> str:
    try:
        return os.read(terminal, 65536).decode(errors="replace")
    except (BlockingIOError, OSError):
        # Nothing new; or the process has ended, and its end of the terminal is closed.
        return ""
