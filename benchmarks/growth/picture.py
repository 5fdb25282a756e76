"""The plot of the documentation."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.ticker import FormatStrFormatter, LogLocator

__all__ = ["draw"]

LABELS = {
    "levels": "levels",
    "steps": "steps of a level",
    "side": "side (pixels)",
    "samples": "samples",
    "batch": "batch",
}
COLOURS = {"degrade": "#1f5fa8", "train": "#b5482a"}


def draw(record: Mapping[str, Any], path: Path) -> None:
    """Measured times and what the operations let expect, along each axis."""
    figure, axes = plt.subplots(1, len(LABELS), figsize=(14, 3.2))
    for axis, panel in zip(LABELS, axes, strict=True):
        for work, colour in COLOURS.items():
            group = f"{work}: {axis}"
            timings = [timing for timing in record["timings"] if timing["group"] == group]
            if not timings:
                continue
            x = [int(timing["name"]) for timing in timings]
            operations = [record["operations"][group][timing["name"]] for timing in timings]
            seconds = [timing["median"] for timing in timings]
            # As fast as where it is fastest: what lies above the line is not explained by the operations.
            rate = max(o / s for o, s in zip(operations, seconds, strict=True))
            panel.plot(x, seconds, "o", color=colour, label=work)
            panel.plot(x, [o / rate for o in operations], "-", color=colour, linewidth=1, alpha=0.6)
        panel.set_xscale("log", base=2)
        panel.set_yscale("log")
        panel.set_xticks(x, [str(value) for value in x])
        panel.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        panel.yaxis.set_major_formatter(FormatStrFormatter("%g"))
        panel.minorticks_off()
        panel.set_xlabel(LABELS[axis])
        panel.grid(alpha=0.3, linewidth=0.5)
    axes[0].set_ylabel("seconds")
    axes[0].legend(frameon=False)
    figure.tight_layout()
    part = path.with_name(f".{path.name}")
    figure.savefig(part, format="png", dpi=110)
    plt.close(figure)
    part.replace(path)
