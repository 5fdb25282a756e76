"""The tables, made of a record."""

from collections.abc import Iterable, Mapping
from typing import Any

from benchmarks.page import conditions, markdown
from benchmarks.restoration.methods import ABLATION, METHODS
from benchmarks.restoration.tracks import TRACKS

__all__ = ["sections"]

Record = Mapping[str, Any]

HEADS = {"psnr": "PSNR (dB)", "ssim": "SSIM", "lpips": "LPIPS (AlexNet)", "niqe": "NIQE"}
DIGITS = {"psnr": 2, "ssim": 3, "lpips": 3, "niqe": 2}


def sections(record: Record) -> dict[str, str]:
    """The generated parts of the page, by name."""
    tracks = [(name, record["tracks"][name]) for name in TRACKS if name in record["tracks"]]
    tables = [f"**Track {name}**\n\n{_table(rows, METHODS)}" for name, rows in tracks]
    seeds = "One seed" if record["seeds"] == 1 else f"Means of {record['seeds']} seeds"
    note = f"{seeds}; {record['steps']} steps of the restoration network; 95 % intervals over the images."
    parts = {"restoration": "\n\n".join([*tables, note]), "conditions": conditions(record)}
    parts["ablation"] = _table(record["ablation"], ABLATION) if record["ablation"] else "Not measured yet."
    return parts


def _table(rows: Mapping[str, Any], order: Iterable[str]) -> str:
    body = [[name, *(_entry(rows[name][metric], DIGITS[metric]) for metric in HEADS)] for name in order if name in rows]
    return markdown(["degraded by", *HEADS.values()], body)


def _entry(values: Mapping[str, Any], digits: int) -> str:
    mean = f"{values['mean']:.{digits}f}"
    if values["low"] is None:
        return mean
    return f"{mean} ({values['low']:.{digits}f} to {values['high']:.{digits}f})"
