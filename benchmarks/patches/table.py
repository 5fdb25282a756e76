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
            f"{mean(entry['seconds']):.0f} s",
            ", ".join(map(str, entry["best_step"])),
        ]
        for entry in record["results"]
    ]
    header = ["data", "model", "parameters", "bits per dimension", "training", "best step"]
    budgets = "; ".join(
        f"{data}, {budget['steps']} steps of {budget['batch']} images, Adam from {budget['learning_rate']:g} to zero "
        f"along half a cosine, the best of {budget['checks']} checks on the validation images"
        for data, budget in record["budgets"].items()
    )
    conditions = (
        f"Made by `{record['command']}` in {record['minutes']:.0f} minutes on {record['machine']}, one thread: "
        f"{budgets}. Seeds {', '.join(map(str, record['seeds']))}. "
        + ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    )
    return {"bits": markdown(header, rows), "conditions": f"{conditions}."}
