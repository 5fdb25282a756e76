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
NOISE_HEADS = {
    "strength": "strength",
    "correlation": "correlation of neighbours",
    "kl": "KL (nats)",
    "per_image_kl": "KL, by image",
    "noise_flow_kl": "KL, Noise Flow's",
    "akld": "AKLD",
}


def sections(record: Record) -> dict[str, str]:
    """The generated parts of the page, by name."""
    tracks = [(name, record["tracks"][name]["methods"]) for name in TRACKS if name in record["tracks"]]
    tables = [f"**Track {name}**\n\n{_table(rows, METHODS)}" for name, rows in tracks]
    noises = [
        f"**Track {name}**\n\n{_noise_table(record['tracks'][name]['noise'])}"
        for name, _ in tracks
        if "noise" in record["tracks"][name]
    ]
    note = (
        f"{record['steps']} steps of the restoration network. Behind ± is the deviation between seeds, in brackets the "
        "95 % interval over the images."
    )
    parts = {"restoration": "\n\n".join([*tables, note]), "conditions": conditions(record)}
    parts["noise"] = "\n\n".join(noises) or "Not measured yet."
    parts["ablation"] = _table(record["ablation"], ABLATION) if record["ablation"] else "Not measured yet."
    return parts


def _table(rows: Mapping[str, Any], order: Iterable[str]) -> str:
    body = [
        [name, *(_entry(rows[name][metric], DIGITS[metric]) for metric in HEADS), str(rows[name]["psnr"]["seeds"])]
        for name in order
        if name in rows
    ]
    return markdown(["degraded by", *HEADS.values(), "seeds"], body)


def _noise_table(rows: Mapping[str, Any]) -> str:
    body = [
        [name, *(_entry(rows[name][figure], 3) for figure in NOISE_HEADS), str(rows[name]["kl"]["seeds"])]
        for name in METHODS
        if name in rows
    ]
    return markdown(["degraded by", *NOISE_HEADS.values(), "seeds"], body)


def _entry(values: Mapping[str, Any], digits: int) -> str:
    if values["mean"] is None:
        return "not defined"
    entry = f"{values['mean']:.{digits}f}"
    if values["between_seeds"] is not None:
        entry += f" ± {values['between_seeds']:.{digits}f}"
    if values.get("low") is not None:
        entry += f" ({values['low']:.{digits}f} to {values['high']:.{digits}f})"
    return entry
