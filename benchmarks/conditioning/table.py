"""The table, made of a record."""

from collections.abc import Mapping
from typing import Any

from benchmarks.conditioning.kinds import HELD_OUT
from benchmarks.page import conditions, markdown

__all__ = ["sections"]

Record = Mapping[str, Any]


def sections(record: Record) -> dict[str, str]:
    """The generated parts of the page, by name."""
    return {"conditioning": _choices(record), "conditions": conditions(record)}


def _choices(record: Record) -> str:
    header = [
        "degradation",
        "std",
        "measured: flat, whole",
        "left in h by 4 / 8 / 16",
        "AUC",
        "chosen",
        "best by pairs",
    ]
    header += ["divergence: chosen", "best", "factor 4, 0.03"]
    rows = []
    for kind in record["kinds"]:
        judged = {(trial["factor"], trial["h_noise"]): trial["divergence"] for trial in kind["judged"]}
        chosen = kind["chosen"]["factor"], kind["chosen"]["h_noise"]
        best = min(judged, key=lambda h: judged[h])
        rows.append(
            [
                kind["name"] + (" (held out)" if kind["name"] in HELD_OUT else ""),
                f"{kind['true_std']:.1f}",
                f"{kind['flat_std']:.1f}, {kind['overall_std']:.1f}",
                " / ".join(f"{std:.1f}" for std in kind["surviving_std"].values()),
                f"{kind['auc']:.2f}",
                _h(chosen),
                _h(best),
                f"{judged[chosen]:.3f}",
                f"{judged[best]:.3f}",
                f"{judged[4, 0.03]:.3f}",
            ]
        )
    return markdown(header, rows)


def _h(h: tuple[int, float]) -> str:
    return f"{h[0]}, {h[1]:.2f}"
