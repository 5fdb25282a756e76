"""Time and memory of a work on a device."""

import gc
import math
import time
from collections.abc import Callable
from statistics import median, quantiles
from typing import Any

import torch

from benchmarks.peak_memory import resident

__all__ = ["peak_bytes", "release", "timed"]

Work = Callable[[], object]

WARM_UPS = 3
"""Calls before the clock starts: kernels are chosen, and the allocator has its blocks."""
LEAST_ROUNDS, MOST_ROUNDS = 3, 30
SHORTEST_ROUND = 0.005
"""In seconds. Calls that take less are timed several at a time: an event is not exact to microseconds."""


def timed(work: Work, device: torch.device, seconds: float) -> dict[str, Any]:
    """Time a work, after some calls to warm up.

    Args:
        work: what is timed.
        device: where it runs; on a GPU, it is timed by events of the GPU's own.
        seconds: about how long, warming up excepted.

    Returns:
        ``seconds`` of a call, the median of ``rounds`` rounds of ``calls`` calls; ``spread``: half the distance of the
        quartiles, over the median.
    """
    for _ in range(WARM_UPS - 1):
        work()
    once = _round(work, device, 1)
    calls = math.ceil(SHORTEST_ROUND / once)
    rounds = min(max(int(seconds / (calls * once)), LEAST_ROUNDS), MOST_ROUNDS)
    found = [_round(work, device, calls) / calls for _ in range(rounds)]
    middle = median(found)
    lower, _, upper = quantiles(found, n=4, method="inclusive")
    spread = (upper - lower) / 2 / middle
    return {"seconds": float(f"{middle:.4g}"), "spread": round(spread, 3), "rounds": rounds, "calls": calls}


def _round(work: Work, device: torch.device, calls: int) -> float:
    """Seconds that some calls take, from an idle device until all of them are done."""
    if device.type != "cuda":
        start = time.perf_counter()
        for _ in range(calls):
            work()
        return time.perf_counter() - start
    first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    torch.cuda.synchronize(device)
    first.record()
    for _ in range(calls):
        work()
    last.record()
    torch.cuda.synchronize(device)
    return first.elapsed_time(last) / 1000


def peak_bytes(work: Work, device: torch.device) -> tuple[int, int]:
    """Memory before a work, and at its peak: of tensors on a GPU; else of the whole process since its start."""
    if device.type != "cuda":
        before = resident()
        work()
        return round(1e9 * before), round(1e9 * resident())
    release(device)
    torch.cuda.reset_peak_memory_stats(device)
    before = torch.cuda.memory_allocated(device)
    work()
    torch.cuda.synchronize(device)
    return before, torch.cuda.max_memory_allocated(device)


def release(device: torch.device) -> None:
    """Give back what nothing refers to any more."""
    gc.collect()
    if device.type == "cuda":
        torch.cuda.empty_cache()
