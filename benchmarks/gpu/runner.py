"""Runs the sections one after another, each in a process of its own and within its time."""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from benchmarks.gpu.section import MARK, Section

__all__ = ["run_sections"]

START = 10.0
"""Seconds below which no section is started: a process's start takes them."""


def run_sections(
    sections: Mapping[str, Section], options: Sequence[str], seconds: float, save: Callable[[dict[str, Any]], None]
) -> None:
    """Run sections, and save what there is after each row.

    A section that fails, whatever by, or takes longer than it may, ends; its error is recorded, and the rest goes on:
    its process is its own, and so are its memory and its state of the GPU.

    Args:
        sections: by name, in their order.
        options: of :mod:`benchmarks.gpu.section`.
        seconds: for all of them.
        save: given all sections so far, by name: each with its ``title``, ``rows``, ``seconds`` and, if there was one,
            its ``error``.
    """
    end = time.monotonic() + seconds
    found: dict[str, Any] = {}
    for name, section in sections.items():
        found[name] = result = {"title": section.title, "rows": [], "seconds": 0.0}
        left = end - time.monotonic()
        if left < START:
            result["error"] = f"not run: {max(left, 0.0):.0f} of {seconds:.0f} seconds were left"
            save(found)
            continue
        print(f"{name}: {section.title}", flush=True)
        start = time.monotonic()

        def add(row: Any, result: dict[str, Any] = result, start: float = start) -> None:
            result["rows"].append(row)
            result["seconds"] = round(time.monotonic() - start, 1)
            save(found)

        error = _run(name, options, min(section.seconds, left), add)
        result["seconds"] = round(time.monotonic() - start, 1)
        if error:
            result["error"] = error
            print(f"{name}: {error}", file=sys.stderr, flush=True)
        save(found)


def _run(name: str, options: Sequence[str], seconds: float, add: Callable[[Any], None]) -> str | None:
    """Run a section; what went wrong, in a sentence."""
    command = [sys.executable, "-m", "benchmarks.gpu.section", name, *options]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        # A session of its own, so that what it has started ends with it.
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, start_new_session=True)
        assert process.stdout is not None
        late = threading.Event()

        def stop() -> None:
            late.set()
            _end(process)

        timer = threading.Timer(seconds, stop)
        timer.start()
        try:
            for line in process.stdout:
                if line.startswith(MARK):
                    add(json.loads(line.removeprefix(MARK)))
            status = process.wait()
        finally:
            timer.cancel()
            _end(process)
        if late.is_set():
            return f"stopped after {seconds:.0f} seconds, which were all it had"
        if status == 0:
            return None
        errors.seek(0)
        printed = errors.read()
        print(printed[-3000:], file=sys.stderr, flush=True)
        lines = [line for line in printed.splitlines() if line.strip()]
        return f"ended with status {status}" + (f": {lines[-1].strip()[:500]}" if lines else "")


def _end(process: "subprocess.Popen[str]") -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
