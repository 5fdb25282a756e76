"""The tables of the documentation, made of a record: no figure in them is written by hand."""

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import torch

from benchmarks.density.comparison import verdict
from benchmarks.density.data import IMAGES
from benchmarks.density.suite import LIBRARIES
from benchmarks.page import markdown
from flowkit import bits_per_dim

__all__ = ["sections"]

Cell = Mapping[str, Any]

MINUS = "\N{MINUS SIGN}"

MARKS = {"within": "", "ahead": "▲", "behind": "▼"}


def sections(record: Mapping[str, Any]) -> dict[str, str]:
    """The generated parts of the page, by name: a table for each group, the conditions, the count of verdicts."""
    cells = record["results"]
    parts = {group: _group([cell for cell in cells if cell["group"] == group]) for group in record["settings"]}
    images = [cell for cell in cells if cell["data"] in IMAGES]
    return parts | {
        "bits": _bits(images),
        "verdicts": _verdicts(cells),
        "cost": _cost(cells),
        "conditions": _conditions(record),
    }


def _group(cells: list[Cell]) -> str:
    header = ["data", "model", *_references(cells[0]), *LIBRARIES, "flowkit less best peer", "verdict"]
    rows = []
    for cell in cells:
        kind, best, difference, error = verdict(cell)
        distance = "none" if kind == "alone" else f"{_signed(difference)} ± {_number(error)} ({best})"
        rows.append(
            [
                cell["data"] if cell["model"] == cells[0]["model"] else "",
                f"`{cell['model']}`",
                *_references(cell).values(),
                *(_likelihood(cell, library, bold=library == "flowkit") for library in LIBRARIES),
                distance,
                f"{MARKS.get(kind, '')} {kind}".strip(),
            ]
        )
    return markdown(header, rows)


def _references(cell: Cell) -> dict[str, str]:
    """What a likelihood is to be held against: by the column's name."""
    found = {"Gaussian": cell["gaussian"], "uniform": cell["uniform"], "true density": cell["bound"]}
    return {name: _number(value) for name, value in found.items() if value is not None}


def _likelihood(cell: Cell, library: str, bold: bool) -> str:
    figures = cell["libraries"].get(library)
    if figures is None:
        return "none"
    text = f"{_number(figures['mean'])} ± {_number(figures['deviation'])}"
    return f"**{text}**" if bold else text


def _bits(cells: Iterable[Cell]) -> str:
    """Code lengths of images in bits per value, of the levels before they were scaled to an interval of length 1."""
    rows = []
    for cell in cells:
        levels = IMAGES[cell["data"]][1]
        means = [(cell["libraries"].get(library) or {}).get("mean") for library in LIBRARIES]
        lengths = [
            "none" if mean is None else f"{_code_length(mean, cell['dimensions'], levels):.3f}" for mean in means
        ]
        rows.append([cell["data"], f"`{cell['model']}`", *lengths])
    return markdown(["data", "model", *LIBRARIES], rows)


def _code_length(mean: float, dimensions: int, levels: int) -> float:
    return float(bits_per_dim(torch.tensor(mean, dtype=torch.float64), dimensions, levels))


def _verdicts(cells: Iterable[Cell]) -> str:
    counts: dict[str, Counter[str]] = {}
    for cell in cells:
        counts.setdefault(cell["model"], Counter())[verdict(cell)[0]] += 1
    rows = [[f"`{model}`", *(str(count[kind]) for kind in MARKS)] for model, count in counts.items()]
    rows.append(["all", *(str(sum(count[kind] for count in counts.values())) for kind in MARKS)])
    return markdown(["model", *MARKS], rows)


def _cost(cells: Iterable[Cell]) -> str:
    """Parameters and seconds of training, for one data set of each group and model: they hardly depend on it."""
    seen: dict[tuple[str, str], Cell] = {}
    for cell in cells:
        seen[cell["group"], cell["model"]] = cell
    rows = []
    for (group, model), cell in seen.items():
        libraries = [cell["libraries"].get(library) for library in LIBRARIES]
        rows.append([f"{group}: {cell['data']}", f"`{model}`", *(_cost_of(figures) for figures in libraries)])
    return markdown(["data", "model", *LIBRARIES], rows)


def _cost_of(figures: Cell | None) -> str:
    return "none" if figures is None else f"{figures['parameters']:,}, {figures['seconds']:.1f} s"


def _conditions(record: Mapping[str, Any]) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    lines = [
        f"Made by `{record['command']}` in {record['minutes']:.0f} minutes on {record['machine']},",
        f"by {record['workers']} processes of one thread each. {versions}.",
        "",
    ]
    for group, settings in record["settings"].items():
        budget = settings["budget"]
        models = "; ".join(
            f"`{name}`: " + ", ".join(f"{key} {_plain(value)}" for key, value in architecture.items())
            for name, architecture in settings["models"].items()
        )
        lines.append(
            f"- **{group}**: {budget['steps']} steps of {budget['batch']} samples, Adam from"
            f" {budget['learning_rate']:g} to zero along half a cosine, gradients of norm"
            f" {budget['largest_gradient']:g} at most, the best of {budget['checks']} checks on the validation samples,"
            f" seeds {_plain(settings['seeds'])}. {models}."
        )
    return "\n".join(lines)


def _plain(value: Any) -> str:
    return "(" + ", ".join(map(str, value)) + ")" if isinstance(value, list | tuple) else str(value)


def _number(value: float) -> str:
    """Three decimals, fewer for large numbers, with a true minus sign."""
    return (f"{value:.3f}" if abs(value) < 10 else f"{value:.2f}").replace("-", MINUS)


def _signed(value: float) -> str:
    return "+" * (value >= 0) + _number(value)
