"""The tables, made of a record: no figure in them is written by hand."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.page import conditions, figures, markdown
from benchmarks.peers.libraries import LIBRARIES

__all__ = ["NOT_RECORDED", "sections"]

Record = Mapping[str, Any]

NOT_RECORDED = "Not recorded yet: no GPU has been at hand."
"""What the page says as long as there is no record."""

PEERS = "peers_"
"""Begins the names of the sections that are one table together, a column each."""

HIDDEN = {"rounds", "calls", "spread", "failures"}
"""Columns of the record that the tables leave out, or show beside others."""

FORMATS = {"bits per dimension": "{:.4f}", "loss": "{:.4f}", "share of the product": "{:.1%}"}
"""Of columns that three figures do not do justice to."""


def sections(record: Record) -> dict[str, str]:
    """The generated parts of the page, by name."""
    found = record["sections"]
    parts = [_section(section) for name, section in found.items() if not name.startswith(PEERS)]
    if peers := {name.removeprefix(PEERS): section for name, section in found.items() if name.startswith(PEERS)}:
        parts.append(_peers(peers))
    return {"gpu": "\n\n".join(parts), "conditions": conditions(record)}


def _section(section: Mapping[str, Any]) -> str:
    """A heading, a table, and what went wrong."""
    parts = [f"### {section['title']}"]
    rows: Sequence[Mapping[str, Any]] = section["rows"]
    if measured := [row for row in rows if "error" not in row]:
        columns = [column for column in _columns(measured) if column not in HIDDEN]
        parts.append(markdown(columns, [[_cell(row, column) for column in columns] for row in measured]))
    parts += _failures(section)
    return "\n\n".join(parts)


def _peers(libraries: Mapping[str, Mapping[str, Any]]) -> str:
    """The works of the comparison, a column for each library, and how much longer the fastest peer takes."""
    times: dict[str, dict[str, Mapping[str, Any]]] = {}
    for library, section in libraries.items():
        for row in section["rows"]:
            if "error" not in row:
                times.setdefault(row["work"], {})[library] = row
    own, *peers = LIBRARIES
    columns = [library for library in LIBRARIES if any(library in found for found in times.values())]
    rows = []
    for work, found in times.items():
        cells = [_cell(found[library], "seconds") if library in found else "none" for library in columns]
        others = {peer: found[peer]["seconds"] for peer in peers if peer in found}
        ratio = "none"
        if own in found and others:
            fastest = min(others, key=others.__getitem__)
            ratio = f"{others[fastest] / found[own]['seconds']:.2f} ({fastest})"
        rows.append([work, *cells, ratio])
    parts = ["### Works of the comparison with other libraries, in seconds"]
    if rows:
        parts.append(markdown(["work", *columns, "fastest peer / flowkit"], rows))
    return "\n\n".join([*parts, *(text for section in libraries.values() for text in _failures(section))])


def _failures(section: Mapping[str, Any]) -> list[str]:
    """What went wrong, a paragraph each."""
    rows = section["rows"]
    found = [f"- {_named(row)}: {row['error']}" for row in rows if "error" in row]
    found += [f"- {row['bijector']}: {row['failures']}" for row in rows if row.get("failures")]
    if "error" in section:
        found.append(f"*{section['title']}* {section['error']}.")
    return found


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """All that occur, in their order."""
    return list(dict.fromkeys(column for row in rows for column in row))


def _cell(row: Mapping[str, Any], column: str) -> str:
    value = row.get(column, "")
    if column == "seconds" and "spread" in row:
        return f"{_written(value)} ± {100 * row['spread']:.0f} %"
    if column in FORMATS and isinstance(value, float):
        return FORMATS[column].format(value)
    return _written(value)


def _written(value: Any) -> str:
    match value:
        case bool():
            return "yes" if value else "**no**"
        case float() if value == 0 or 1e-3 <= abs(value) < 1e5:
            return figures(value)
        case float():
            return f"{value:.2e}"
        case _:
            return str(value)


def _named(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in row.items() if name != "error")
