"""The tables, made of a record."""

from collections.abc import Mapping
from typing import Any

from benchmarks.page import conditions, figures, markdown

__all__ = ["sections"]

Record = Mapping[str, Any]


def sections(record: Record) -> dict[str, str]:
    """The generated parts of the page, by name."""
    return {
        "growth": _times(record),
        "memory": _memory(record),
        "conditions": conditions(record),
    }


def _times(record: Record) -> str:
    rows = []
    for timing in record["timings"]:
        work, axis = timing["group"].split(": ")
        operations = record["operations"][timing["group"]][timing["name"]]
        rows.append(
            [
                work,
                f"{axis} {timing['name']}",
                f"{figures(operations)} GFLOP",
                f"{figures(timing['median'])} s ± {100 * timing['spread']:.0f} %",
                f"{figures(operations / timing['median'])} GFLOP/s",
            ]
        )
    return markdown(["work", "point", "operations", "time", "rate"], rows)


def _memory(record: Record) -> str:
    rows = [
        [f"{side} x {side}", f"{memory['peak']:.2f} GB", f"{memory['peak'] - memory['ready']:.2f} GB"]
        for side, memory in record["memory"].items()
    ]
    return markdown(["image", "peak of the process", "above what was there before"], rows)
