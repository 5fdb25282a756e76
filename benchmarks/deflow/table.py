"""The tables, made of a record."""

from collections.abc import Mapping
from typing import Any

from benchmarks.page import conditions, figures, markdown

__all__ = ["sections", "times"]

Record = Mapping[str, Any]

BARS = {
    "degrade one 160 x 160 image": 3.0,
    "8 samples of one image": 8.0,
    "training step of 8 crops": 1.9,
    "degrade one 510 x 339 image": 3.3,
}
"""How many times faster than the plain evaluation each work is to be."""

MEMORY_NAMES = {"training": "training step of 8 crops", "whole_image": "degrade one 510 x 339 image"}


def sections(record: Record) -> dict[str, str]:
    """The generated parts of the page, by name."""
    return {
        "times": times(record),
        "memory": _memory(record),
        "costs": _costs(record),
        "bits": _bits(record),
        "conditions": conditions(record),
    }


def times(record: Record) -> str:
    """Medians, spreads and ratios."""
    groups: dict[str, dict[str, Any]] = {}
    for timing in record["timings"]:
        groups.setdefault(timing["group"], {})[timing["name"]] = timing
    rows = []
    for group, timings in groups.items():
        plain = timings["plain"]["median"]
        for name, timing in timings.items():
            ratio = "" if name == "plain" else f"{plain / timing['median']:.2f}"
            bar = f"{BARS[group]:.1f}" if name == "flowkit" and group in BARS else ""
            rows.append([group, name, _time(timing), ratio, bar])
    return markdown(["work", "", "time", "times faster than plain", "bar"], rows)


def _time(timing: Mapping[str, Any]) -> str:
    return f"{figures(timing['median'])} s ± {100 * timing['spread']:.0f} %"


def _memory(record: Record) -> str:
    rows = []
    for work, memories in record["memory"].items():
        plain = memories["plain"]
        for name, memory in memories.items():
            grown = memory["peak"] - memory["ready"]
            cells = [f"{memory['peak']:.2f} GB", f"{grown:.2f} GB"]
            if name != "plain":
                # A ratio of the peaks, and of what the work itself took.
                cells[0] += f" (1/{plain['peak'] / memory['peak']:.1f})"
                cells[1] += f" (1/{(plain['peak'] - plain['ready']) / grown:.1f})"
            rows.append([MEMORY_NAMES[work], name, *cells])
    return markdown(["work", "", "peak of the process", "above what was there before"], rows)


def _costs(record: Record) -> str:
    c = record["costs"]
    rows = [
        ["encoder", c["plain_encoder"], c["encoder"]],
        ["encode", c["plain_encode"], c["encode"]],
        ["decode", c["plain_decode"], c["decode"]],
        ["what depends on h alone, the encoder included", None, c["bind"]],
        [
            "degrade",
            2 * c["plain_encoder"] + c["plain_encode"] + c["plain_decode"],
            c["bind"] + c["encode"] + c["decode"],
        ],
    ]
    table = [
        [name, *("in each pass" if v is None else f"{figures(v)} GFLOP" for v in values)] for name, *values in rows
    ]
    saved = (f"{1000 * c[name]:.0f} MB" for name in ("plain_saved", "saved"))
    return markdown(["one 160 x 160 image", "plain", "flowkit"], [*table, ["kept for the backward pass", *saved]])


def _bits(record: Record) -> str:
    """Of each domain's image, and how far half precision is off."""
    exact, half = (record["bits"][name] for name in ("float32", "bfloat16"))
    rows = [
        [name, f"{a:.4f}", f"{b:.4f}", f"{b - a:+.4f}"]
        for name, a, b in zip(("clean", "degraded"), exact, half, strict=True)
    ]
    return markdown(["an image taken for", "float32", "bfloat16 autocast", "difference"], rows)
