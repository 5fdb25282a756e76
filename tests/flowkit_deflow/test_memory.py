import subprocess
import sys

import pytest

from flowkit_deflow import keep_freed_memory

RESIDENT = """
import torch
from flowkit_deflow import keep_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

if {keep}:
    assert keep_freed_memory()
blocks = [torch.ones(2_000_000) for _ in range(20)]
full = resident()
del blocks
print(full - resident())
"""


def freed(keep: bool) -> float:
    """Megabytes that the system gets back of the 160 that were freed."""
    done = subprocess.run(
        [sys.executable, "-c", RESIDENT.format(keep=keep)], check=True, capture_output=True, text=True
    )
    return float(done.stdout)


def test_freed_memory_stays_with_the_process() -> None:
    assert freed(keep=False) > 100
    assert freed(keep=True) < 20


def test_elsewhere_it_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False
