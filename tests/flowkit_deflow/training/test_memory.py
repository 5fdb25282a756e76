import subprocess
import sys

import pytest

from flowkit_deflow import keep_freed_memory
from flowkit_deflow.training.memory import give_back_freed_memory

RESIDENT = """
import torch
from flowkit_deflow import keep_freed_memory
from flowkit_deflow.training.memory import give_back_freed_memory

def resident():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * 4096 / 1e6

if {keep}:
    assert keep_freed_memory()
blocks = [torch.ones({size}) for _ in range(40_000_000 // {size})]
full = resident()
del blocks
if {give_back}:
    give_back_freed_memory()
print(full - resident())
"""


def freed(keep: bool, size: int, give_back: bool = False) -> float:
    """Megabytes that the system gets back of the 160 that were freed, in blocks of some size."""
    program = RESIDENT.format(keep=keep, size=size, give_back=give_back)
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    return float(done.stdout)


# Of blocks over 32 MiB the system has its own opinion.
@pytest.mark.parametrize("size", [2_000_000, 20_000_000])
def test_freed_memory_stays_with_the_process(size: int) -> None:
    assert freed(keep=False, size=size) > 100
    assert freed(keep=True, size=size) < 20


def test_it_is_given_back_when_asked_for() -> None:
    assert freed(keep=True, size=2_000_000, give_back=True) > 100


def test_elsewhere_it_does_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "platform", "darwin")
    assert keep_freed_memory() is False
    give_back_freed_memory()
