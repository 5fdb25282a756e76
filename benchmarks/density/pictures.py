"""The pictures of the documentation."""

from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from PIL import Image

from benchmarks.density.data import load
from benchmarks.density.runs import GRID, Run
from benchmarks.density.suite import LIBRARIES
from benchmarks.density.toys import TOYS

__all__ = ["draw_densities", "draw_differences"]

Array = npt.NDArray[Any]

COLOURS = dict(zip(LIBRARIES, ("#d62728", "#1f77b4", "#2ca02c", "#9467bd"), strict=True))
MARKERS = dict(zip(LIBRARIES, "oDsv", strict=True))


def draw_densities(runs: Sequence[Run], folder: Path) -> None:
    """Densities of the toys, true and learned: each model of flowkit's, and the splines of every library."""
    grids = {
        (run.job.model, run.job.library, run.job.data): (run.grid, float(run.log_likelihood.mean()))
        for run in runs
        if run.grid is not None
    }
    toys = [name for name in TOYS if any(key[2] == name for key in grids)]
    if not toys:
        return
    models = list(dict.fromkeys(model for model, library, _ in grids if library == "flowkit"))
    ours = {model: {toy: grids[model, "flowkit", toy] for toy in toys} for model in models}
    theirs = {library: {toy: grids["nsf", library, toy] for toy in toys} for library in LIBRARIES}
    _sheet(toys, ours, folder / "toys_flowkit.png")
    _sheet(toys, theirs, folder / "toys_nsf.png")


def _sheet(toys: Sequence[str], rows: Mapping[str, Mapping[str, tuple[Array, float]]], path: Path) -> None:
    """A column for each toy; below the truth a row for each model, with its distance from the truth."""
    shape = (len(rows) + 1, len(toys))
    figure, axes = plt.subplots(*shape, figsize=(1.6 * shape[1] + 0.6, 1.72 * shape[0]), squeeze=False)
    points = np.stack(np.meshgrid(GRID, GRID), axis=-1).reshape(-1, 2)
    for column, toy in enumerate(toys):
        truth = np.exp(TOYS[toy].log_density(points)).reshape(len(GRID), len(GRID))
        bound = load(toy).bound
        assert bound is not None
        # One scale for a toy's column; a learned density may be higher at a point than the true one ever is.
        largest = truth.max()
        _panel(axes[0, column], truth, largest)
        axes[0, column].set_title(toy.replace("_", " "), fontsize=10)
        for row, grids in enumerate(rows.values(), start=1):
            grid, log_likelihood = grids[toy]
            _panel(axes[row, column], grid, largest)
            axes[row, column].set_xlabel(f"{bound - log_likelihood:.2f} nats off", fontsize=8, labelpad=2)
    for axis, name in zip(axes[:, 0], ["truth", *rows], strict=True):
        axis.set_ylabel(name, fontsize=11)
    figure.tight_layout(pad=0.4, h_pad=0.3, w_pad=0.3)
    _save(figure, path)


def _panel(axis: Axes, density: Array, largest: float) -> None:
    # The square root shows the faint parts: a bridge between two modes has little density and is what flows get wrong.
    axis.imshow(
        np.sqrt(np.clip(density / largest, 0, 1)),
        origin="lower",
        extent=(GRID[0], GRID[-1], GRID[0], GRID[-1]),
        cmap="magma",
        vmin=0,
        vmax=1,
        interpolation="bilinear",
    )
    axis.set_xticks([])
    axis.set_yticks([])


def draw_differences(record: Mapping[str, Any], folder: Path) -> None:
    """For every model and data set, how far each library is from flowkit, in nats per dimension."""
    cells = record["results"]
    figure, axis = plt.subplots(figsize=(8.5, 0.27 * len(cells) + 1.4))
    labels = []
    for row, cell in enumerate(cells):
        labels.append(f"{cell['data'].replace('_', ' ')} · {cell['model']}")
        ours = cell["libraries"]["flowkit"]
        for library, figures in cell["libraries"].items():
            runs = len(figures["log_likelihood"])
            error = np.hypot(figures["deviation"] / np.sqrt(runs), figures["sample_error"])
            axis.errorbar(
                (figures["mean"] - ours["mean"]) / cell["dimensions"],
                row + 0.16 * (LIBRARIES.index(library) - 1.5),
                xerr=2 * error / cell["dimensions"],
                color=COLOURS[library],
                marker=MARKERS[library],
                markersize=5,
                linewidth=1,
                label=library if row == 0 else None,
            )
    groups = [cell["group"] for cell in cells]
    for row in range(1, len(cells)):
        axis.axhline(row - 0.5, color="0.3" if groups[row] != groups[row - 1] else "0.9", linewidth=0.8, zorder=0)
    axis.set_yticks(range(len(cells)), labels, fontsize=8)
    axis.set_ylim(len(cells) - 0.5, -0.5)
    axis.axvline(0, color=COLOURS["flowkit"], linewidth=1, zorder=0)
    axis.set_xscale("symlog", linthresh=0.1, linscale=2)
    axis.set_xlabel("held-out log-likelihood less flowkit's, nats per dimension; bars: two standard errors")
    axis.legend(loc="lower center", bbox_to_anchor=(0.4, 1.0), ncols=len(LIBRARIES), frameon=False)
    figure.tight_layout()
    _save(figure, folder / "differences.png")


def _save(figure: Figure, path: Path) -> None:
    buffer = BytesIO()
    figure.savefig(buffer, format="png", dpi=100)
    plt.close(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f".{path.name}")
    # A palette takes a third of the space, and nobody sees the difference.
    Image.open(buffer).convert("RGB").quantize(256).save(part, format="png", optimize=True)
    part.replace(path)
