"""The tables, made of a record: no figure in them is written by hand."""

from collections.abc import Callable, Mapping, Set
from typing import Any

from benchmarks.page import figures, markdown
from benchmarks.peers.libraries import LIBRARIES
from benchmarks.peers.work import FAMILIES_ROOM

__all__ = ["COMPILED", "OWN", "PRODUCTS", "sections"]

Record = Mapping[str, Any]

OWN, *PEERS = LIBRARIES
COMPILED = f"{OWN} compiled"
PRODUCTS = f"{OWN}'s products alone"


def sections(record: Record) -> dict[str, str]:
    """The generated parts of the page, by name."""
    conditional = {name for name, work in record["works"].items() if work["context"]}
    # Records of the time before the families say nothing of rooms.
    families = {name for name, work in record["works"].items() if work.get("room") == FAMILIES_ROOM}
    return {
        "times": _times(record, record["works"].keys() - conditional - families),
        "families": _times(record, families),
        "conditional": _times(record, conditional),
        "saved": _memory(record),
        "parameters": _by_library(record, lambda figures: f"{figures['parameters']:,}"),
        "conditions": _conditions(record),
    }


def _times(record: Record, works: Set[str]) -> str:
    """Medians and spreads, and how many times as long the fastest peer takes as flowkit."""
    groups: dict[str, dict[str, Any]] = {}
    for timing in record["timings"]:
        if _work(timing["group"]) in works:
            groups.setdefault(timing["group"], {})[timing["name"]] = timing
    timed = {name for timings in groups.values() for name in timings}
    columns = [column for column in (OWN, COMPILED, PRODUCTS, *PEERS) if column in timed]
    rows = []
    for group, timings in groups.items():
        medians = {name: timing["median"] for name, timing in timings.items()}
        cells = {name: _time(timings.get(name)) for name in columns}
        if PRODUCTS in timings:
            cells[PRODUCTS] += f", {figures(record['multiply_adds'][group] / 1e9)} G"
        rows.append([group, *cells.values(), _least_peer(medians)])
    return markdown(["work", *columns, "fastest peer / flowkit"], rows)


def _work(group: str) -> str:
    """The work of a group, which is called by it and by what is timed."""
    return group.rpartition(", ")[0]


def _time(timing: Mapping[str, Any] | None) -> str:
    if timing is None:
        return "none"
    return f"{figures(1000 * timing['median'])} ms ± {100 * timing['spread']:.0f} %"


def _memory(record: Record) -> str:
    """What a training step keeps, and how many times as much the thriftiest peer keeps as flowkit."""
    rows = []
    for name, libraries in record["models"].items():
        saved = {library: each["saved_bytes"] for library, each in libraries.items() if "saved_bytes" in each}
        if not saved:
            continue
        cells = [_megabytes(saved.get(library)) for library in LIBRARIES]
        rows.append([name, *cells, _least_peer(saved)])
    return markdown(["work", *LIBRARIES, "least peer / flowkit"], rows)


def _megabytes(count: int | None) -> str:
    return "none" if count is None else f"{figures(count / 1e6)} MB"


def _least_peer(figures: Mapping[str, float]) -> str:
    """The least figure of a peer over flowkit's, and whose it is."""
    peer = min((name for name in PEERS if name in figures), key=figures.__getitem__)
    return f"{figures[peer] / figures[OWN]:.2f} ({peer})"


def _by_library(record: Record, cell: Callable[[Mapping[str, Any]], str]) -> str:
    rows = [
        [name, *(cell(libraries[library]) if library in libraries else "none" for library in LIBRARIES)]
        for name, libraries in record["models"].items()
    ]
    return markdown(["work", *LIBRARIES], rows)


def _conditions(record: Record) -> str:
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    anew = f" Measured anew since: {', '.join(record['anew'])}." if "anew" in record else ""
    lines = [
        f"Made by `{record['command']}` in {record['minutes']:.0f} minutes on {record['machine']}, with"
        f" {record['threads']} threads: medians of {record['rounds']} runs of {record['calls']} calls"
        f" and half the distance of their quartiles, in percent of the median. {versions}.{anew}",
        "",
    ]
    for name, work in record["works"].items():
        settings = ", ".join(f"{key} {_plain(value)}" for key, value in work["settings"].items())
        given = f", given {work['context']} numbers" if work["context"] else ""
        lines.append(f"- **{name}**: batches of {work['batch']} x {_plain(work['event'])}{given}; {settings}.")
    return "\n".join(lines)


def _plain(value: Any) -> str:
    return " x ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)
