"""The feature table as a page of the documentation."""

from collections.abc import Iterator

from tests.docs.feature_table.cells import LIBRARIES, Blank, Cell, Code, File
from tests.docs.feature_table.libraries import DATE, DISTRIBUTIONS, SETUP
from tests.docs.feature_table.rows import SECTIONS

__all__ = ["page"]

INTRODUCTION = """\
# Features beside other libraries

Features by which one chooses a library of normalizing flows, and the libraries that have them. flowkit, nflows,
normflows, zuko and FrEIA are for PyTorch, flowjax and distrax for JAX, TensorFlow Probability (TFP) for TensorFlow and
JAX; distrax takes TFP's bijectors, so that the two share a column. They were looked at on {date}, in these releases:
{releases}

| sign | what backs it |
|:-:|---|
| ✓ | {ran}: code that uses it ran, or its name is there. {read}: it stands in a file that was read, see below. |
| (✓) | The same, in part: the note says which. |
| - | Code that would use it raises, or no class and no function has a name that would be its own. |
| | A feature of torch's, of a library that is not for torch. |

The test suite runs and reads again, for the libraries that it has installed, what is behind every sign, and compares
this page with it; `python -m tests.docs.feature_table --sources FOLDER` does so in the unpacked wheels of flowjax,
distrax and TFP. A sign says that something is there, not how well it works: for that see
{{doc}}`/benchmarks/density`, {{doc}}`/benchmarks/peers` and {{doc}}`nflows-findings`.
"""


def page() -> str:
    """The page."""
    lines = [_introduction()]
    notes: list[str] = []
    for section, rows in SECTIONS.items():
        lines += [f"## {section}", "", f"| | {' | '.join(LIBRARIES)} |", "|---|" + ":-:|" * len(LIBRARIES)]
        for row in rows:
            signs = [_sign(cell, notes) for cell in row.cells().values()]
            lines.append(f"| {row.feature} | {' | '.join(signs)} |")
        lines.append("")
    lines += ["## Notes", "", *(f"{number}. {note}" for number, note in enumerate(notes, 1)), ""]
    return "\n".join([*lines, *_files(), ""])


def _introduction() -> str:
    releases = [f"{name} {version}" for of_library in DISTRIBUTIONS.values() for name, version in of_library.items()]
    ran = ", ".join(SETUP)
    read = ", ".join(library for library in LIBRARIES if library not in SETUP)
    return INTRODUCTION.format(date=DATE, releases=f"{', '.join(releases)}.", ran=ran, read=read)


def _sign(cell: Cell, notes: list[str]) -> str:
    """A cell's sign, whose note is added to the notes, once for each wording."""
    if isinstance(cell, Blank):
        return ""
    if not isinstance(cell, Code | File):
        return "-"
    if not cell.note:
        return "✓"
    note = f"{cell.note[0].upper()}{cell.note[1:]}."
    if note not in notes:
        notes.append(note)
    return f"(✓) {notes.index(note) + 1}"


def _files() -> Iterator[str]:
    read = [library for library in LIBRARIES if library not in SETUP]
    yield from ("## Files that were read", "", f"| | {' | '.join(read)} |", "|---|" + "---|" * len(read))
    for rows in SECTIONS.values():
        for row in rows:
            cells = [row.cells()[library] for library in read]
            if any(isinstance(cell, File) for cell in cells):
                yield f"| {row.feature} | {' | '.join(_file(cell) for cell in cells)} |"


def _file(cell: Cell) -> str:
    return f"`{cell.path}`: `{cell.text.replace('`', '')}`" if isinstance(cell, File) else ""
