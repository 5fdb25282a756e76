"""What a cell of the feature table says, and what backs it."""

from dataclasses import dataclass

__all__ = [
    "LIBRARIES",
    "Absent",
    "Blank",
    "Cell",
    "Code",
    "Fails",
    "File",
    "Row",
    "fails",
    "lacks",
    "partly",
    "ran",
    "read",
]

LIBRARIES = ("flowkit", "nflows", "normflows", "zuko", "FrEIA", "flowjax", "distrax/TFP")
"""The columns, in their order."""


@dataclass(frozen=True)
class Code:
    """A feature that code shows, which runs.

    Args:
        code: Python, with the names of the library's setup.
        note: what the feature lacks there, for a footnote; empty if nothing.
        since: the oldest torch with which it runs; empty if that is any which is supported.
    """

    code: str
    note: str = ""
    since: str = ""


@dataclass(frozen=True)
class Fails:
    """A feature that is not there: code that would use it raises.

    Args:
        code: Python, with the names of the library's setup.
        message: a regular expression that the exception's name and message match.
    """

    code: str
    message: str


@dataclass(frozen=True)
class File:
    """A feature that stands in a file.

    Args:
        path: of the file, below the folder that the package is installed in.
        text: what stands in it, word for word.
        note: what the feature lacks there, for a footnote; empty if nothing.
    """

    path: str
    text: str
    note: str = ""


@dataclass(frozen=True)
class Absent:
    """A feature that is not there: no class and no function has such a name.

    Args:
        name: a regular expression, of which no part of a name may match; letters of either case.
        under: a folder of the package to which this is limited; empty for all of it.
    """

    name: str
    under: str = ""


@dataclass(frozen=True)
class Blank:
    """A feature of torch's, which means nothing where a library is not for torch."""


Cell = Code | Fails | File | Absent | Blank


@dataclass(frozen=True)
class Row:
    """A feature, and what each library has of it, in the order of :data:`LIBRARIES`."""

    feature: str
    flowkit: Cell
    nflows: Cell
    normflows: Cell
    zuko: Cell
    freia: Cell
    flowjax: Cell
    tfp: Cell

    def cells(self) -> dict[str, Cell]:
        """The cells by library."""
        cells = (self.flowkit, self.nflows, self.normflows, self.zuko, self.freia, self.flowjax, self.tfp)
        return dict(zip(LIBRARIES, cells, strict=True))


def ran(code: str, since: str = "") -> Code:
    """The feature, by code that runs; with torch as old as is said."""
    return Code(code, since=since)


def read(path: str, text: str) -> File:
    """The feature, by what stands in a file."""
    return File(path, text)


def partly(cell: Code | File, note: str) -> Code | File:
    """A feature that is there in part."""
    return Code(cell.code, note, cell.since) if isinstance(cell, Code) else File(cell.path, cell.text, note)


def lacks(name: str, under: str = "") -> Absent:
    """No feature: nothing is called so."""
    return Absent(name, under)


def fails(code: str, message: str) -> Fails:
    """No feature: code raises."""
    return Fails(code, message)
