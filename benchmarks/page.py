"""Pages of the documentation whose tables are made of a record: no figure in them is written by hand."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

__all__ = ["conditions", "figures", "fill", "markdown", "write_page"]


def fill(page: str, parts: Mapping[str, str]) -> str:
    """A page with what stands between its marks ``<!-- begin NAME -->`` and ``<!-- end NAME -->`` replaced.

    Raises:
        ValueError: the page lacks the marks of a part.
    """
    for name, text in parts.items():
        begin, end = f"<!-- begin {name} -->\n", f"<!-- end {name} -->"
        if begin not in page or end not in page:
            raise ValueError(
                f"the page has no place for the part {name!r}: it needs the lines {begin.strip()} and {end}"
            )
        head, rest = page.split(begin)
        page = head + begin + "\n" + text + "\n" + end + rest.split(end)[1]
    return page


def write_page(path: Path, parts: Mapping[str, str]) -> None:
    """Fill the parts into the page, between their marks; whole, or not at all.

    Raises:
        ValueError: the page lacks the marks of a part.
    """
    part = path.with_suffix(".part")
    part.write_text(fill(path.read_text(encoding="utf-8"), parts), encoding="utf-8")
    part.replace(path)


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines)


def figures(value: float) -> str:
    """Three significant figures, none behind the point of what has three before it."""
    return f"{value:.0f}" if value >= 100 else f"{value:#.3g}"


def conditions(record: Mapping[str, Any]) -> str:
    """What a record was made by."""
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items())
    return (
        f"Made by `{record['command']}` in {record['minutes']:.0f} minutes on {record['machine']}, "
        f"{record['threads']} threads. {versions}."
    )
