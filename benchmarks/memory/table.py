"""The table, made of a record."""

from collections.abc import Mapping
from typing import Any

from benchmarks.page import conditions, markdown

__all__ = ["sections"]


def sections(record: Mapping[str, Any]) -> dict[str, str]:
    """The generated parts of the page, by name."""
    rows = [
        [
            f"{case['width']} x {case['height']} ({case['width'] * case['height'] / 1e6:.3g} MP)",
            str(case["samples"]),
            f"{case['peak']:.2f} GB",
            "all of it" if case["share"] == 1 else f"{case['share']:.0%}",
            f"{case['minutes']:.1f}",
        ]
        for case in record["cases"]
    ]
    beside = record["without_network"]
    told = (
        f"Reading {beside['width']} x {beside['height']} pixels, holding {beside['samples']} versions of them in files "
        f"and writing each, with a network that costs nothing, had a peak of {beside['peak']:.2f} GB, "
        f"{beside['ready']:.2f} of which PyTorch had at the start."
    )
    header = ["photograph", "versions", "peak of the process", "of the work", "minutes"]
    return {"memory": markdown(header, rows), "without_network": told, "conditions": conditions(record)}
