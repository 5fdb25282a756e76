"""The tables of the page, made of a record: no figure in them is written by hand."""

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import mean, stdev
from typing import Any

from benchmarks.inference.comparison import FIGURES, verdict
from benchmarks.inference.suite import OWN
from benchmarks.page import conditions, figures, markdown

__all__ = ["MOST", "quality", "sections", "times"]

Record = Mapping[str, Any]

MARKS = {"within": "", "ahead": "▲ ", "behind": "▼ "}

MOST = 1.1
"""Times as long as the fastest library that flowkit may take."""

PARTS = {"reverse KL": "reverse_kl", "posterior": "posterior", "NeuTra": "neutra"}
"""The page's names of the kinds."""

MINUS = "\N{MINUS SIGN}"


def sections(record: Record) -> dict[str, str]:
    """The generated parts of the page, by name."""
    tables = {part: quality(record, kind) for kind, part in PARTS.items()}
    return tables | {
        "times": times(record),
        "costs": _costs(record),
        "verdicts": _verdicts(record),
        "conditions": _conditions(record),
    }


def quality(record: Record, kind: str) -> str:
    """What flows of one kind of job came to, and whether flowkit is behind."""
    rows = [row for row in record["results"] if row["kind"] == kind]
    libraries = list(rows[0]["libraries"])
    body = []
    for row in rows:
        for figure in FIGURES[kind]:
            found, best = verdict(figure, row["libraries"])
            numbers = [_spread(row["libraries"][library][figure.name]) for library in libraries]
            name = f"{figure.name} ({figure.unit}), {'more' if figure.sign > 0 else 'less'} is better"
            body.append([row["problem"], f"`{row['model']}`", name, *numbers, f"{MARKS[found]}{found} ({best})"])
    return markdown(["problem", "model", "figure", *libraries, "flowkit beside best peer"], body)


def _spread(numbers: Sequence[float]) -> str:
    return f"{_number(mean(numbers))} ± {_number(stdev(numbers))}"


def _number(value: float) -> str:
    """Three significant figures, with a true minus sign."""
    return (MINUS if value < 0 else "") + figures(abs(value))


def times(record: Record) -> str:
    """Medians and spreads, and how many times as long the fastest peer takes as flowkit."""
    groups: dict[str, dict[str, Any]] = {}
    for timing in record["timings"]:
        groups.setdefault(timing["group"], {})[timing["name"]] = timing
    columns = sorted({name for timings in groups.values() for name in timings}, key=_order)
    rows = []
    for group, timings in groups.items():
        peer, ratio = _fastest(timings)
        cells = [_time(timings.get(name)) for name in columns]
        mark = "" if 1 / ratio <= MOST else "▼ "
        rows.append([group, *cells, f"{mark}{ratio:.2f} ({peer})"])
    return markdown(["work", *columns, "fastest peer / flowkit"], rows)


def _order(library: str) -> tuple[bool, str]:
    return library != OWN, library


def _time(timing: Mapping[str, Any] | None) -> str:
    if timing is None:
        return "none"
    return f"{figures(1000 * timing['median'])} ms ± {100 * timing['spread']:.0f} %"


def _fastest(timings: Mapping[str, Mapping[str, Any]]) -> tuple[str, float]:
    """The fastest peer, and its time over flowkit's."""
    medians = {name: timing["median"] for name, timing in timings.items()}
    own = medians.pop(OWN)
    peer = min(medians, key=lambda name: medians[name])
    return peer, medians[peer] / own


def _costs(record: Record) -> str:
    """Processor seconds of whole runs: of training, and of sampling where a chain is run."""
    rows = []
    for row in record["results"]:
        for name in ("training", "seconds"):
            numbers = {lib: f[name] for lib, f in row["libraries"].items() if name in f}
            if numbers:
                chain = row["kind"] == "NeuTra" and name == "seconds"
                told = ", ".join(f"{library} {_spread(each)}" for library, each in numbers.items())
                rows.append(
                    [f"{row['kind']}: {row['problem']}", f"`{row['model']}`", "sampling" if chain else "training", told]
                )
    return markdown(["problem", "model", "what", "processor seconds"], rows)


def _verdicts(record: Record) -> str:
    count = Counter(
        verdict(figure, row["libraries"])[0] for row in record["results"] for figure in FIGURES[row["kind"]]
    )
    return markdown(list(MARKS), [[str(count[kind]) for kind in MARKS]])


def _conditions(record: Record) -> str:
    lines = [
        f"{conditions(record)} The tables of quality by {record['workers']} processes of one thread, the times by one"
        f" after the other: medians of {record['rounds']} runs of {record['calls']} calls, and half the distance of"
        " their quartiles.",
        "",
    ]
    for contest in record["contests"]:
        settings = "; ".join(f"{name}: {_plain(value)}" for name, value in contest["settings"].items())
        models = "; ".join(f"`{name}`: {_plain(value)}" for name, value in contest["models"].items())
        lines.append(f"- **{contest['kind']}**: seeds {_plain(contest['seeds'])}; {models}; {settings}.")
    return "\n".join(lines)


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_plain(each)}" for name, each in value.items())
    return "(" + ", ".join(map(str, value)) + ")" if isinstance(value, list | tuple) else str(value)
