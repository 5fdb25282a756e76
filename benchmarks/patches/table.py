"""The tables of the page, made of the record."""

from collections.abc import Mapping
from statistics import mean, stdev
from typing import Any

from benchmarks.page import markdown

__all__ = ["sections"]


def sections(record: Mapping[str, Any]) -> dict[str, str]:
    """The generated parts of the page, by name."""
    rows = [
        [
            entry["data"],
            f"`{entry['model']}`",
            f"{entry['parameters']:,}",
            f"{mean(entry['bits']):.3f} ± {stdev(entry['bits']):.3f}",
            ", ".join(map(str, entry["best_step"])),
        ]
        for entry in record["results"]
    ]
    header = ["data", "model", "parameters", "bits per dimension", "best step"]
    budget = record["budget"]
    conditions = (
        f"Made by `{record['command']}` in {record['minutes']:.0f} minutes on {record['machine']}, one thread: "
        f"{budget['steps']} steps of {budget['batch']} images, Adam from {budget['learning_rate']:g} to zero along "
        f"half a cosine, the best of {budget['checks']} checks on the validation images, seeds "
        f"{', '.join(map(str, record['seeds']))}. "
        + ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    )
    return {"bits": markdown(header, rows), "conditions": f"{conditions}."}
