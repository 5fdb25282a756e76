"""What a public name's docstring has to have, and which names lack what.

Every public name needs, in its docstring (for a class: its own, or those of its methods): a first line, a formula,
the shapes of what it takes or gives, what it raises, a reference, and an example that is run. What makes no sense for
a name is waived, with the reason, in ``waivers.toml``; a waiver that is not needed fails the build too.
"""

import importlib
import inspect
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

__all__ = ["PACKAGES", "SECTIONS", "Waiver", "has_docstring", "missing", "problems", "public_names", "read_waivers"]

# Where users import from.
PACKAGES = (
    "flowkit",
    "flowkit.testing",
    "flowkit.testing.strategies",
    "flowkit.interop.nflows",
    "flowkit.interop.pyro",
    "flowkit.interop.torch_distributions",
    "flowkit_deflow",
)

SECTIONS: Mapping[str, re.Pattern[str]] = {
    "summary": re.compile(r"\A\S.*\.(\s|\Z)"),
    "formula": re.compile(r":math:`|\.\. math::"),
    "shapes": re.compile(
        r"\b(shapes?|dimensions?|channels?|features|elementwise|per sample|of each|scalar)\b|``[^`]* x [^`]*``"
    ),
    "raises": re.compile(r"^ *Raises:\n", re.MULTILINE),
    "references": re.compile(r"^ *References:\n", re.MULTILINE),
    "examples": re.compile(r"^ *Examples:\n(.*\n)*? *>>> ", re.MULTILINE),
}


@dataclass(frozen=True)
class Waiver:
    """Sections that some names do without.

    Args:
        names: qualified names, as ``flowkit.Chain``.
        sections: keys of ``SECTIONS``.
        why: the reason.
    """

    names: tuple[str, ...]
    sections: tuple[str, ...]
    why: str


def read_waivers(path: Path) -> list[Waiver]:
    """The waivers of a TOML file, each a table ``[[waived]]``."""
    tables = tomllib.loads(path.read_text(encoding="utf-8"))["waived"]
    return [Waiver(tuple(t["names"]), tuple(t["sections"]), t["why"]) for t in tables]


def public_names(packages: Iterable[str] = PACKAGES) -> Iterator[tuple[str, Any]]:
    """Every public name, qualified, with what it stands for."""
    for package in packages:
        module = importlib.import_module(package)
        for name in module.__all__:
            yield f"{package}.{name}", getattr(module, name)


def has_docstring(value: Any) -> bool:
    """Whether a public value is a class or function of ours; a constant or a type's alias has no docstring."""
    of_ours = getattr(value, "__module__", "").partition(".")[0] in {name.partition(".")[0] for name in PACKAGES}
    return of_ours and (inspect.isclass(value) or inspect.isroutine(value))


def missing(value: Any) -> list[str]:
    """The sections that a class's or function's docstrings lack."""
    own = inspect.cleandoc(value.__doc__ or "")
    texts = [own]
    if inspect.isclass(value):
        # A base class's docstring describes the base class.
        own = inspect.cleandoc(vars(value).get("__doc__") or "")
        members = (part for name, part in vars(value).items() if not name.startswith("_") or name == "__call__")
        texts = [own, *(inspect.cleandoc(getattr(member, "__doc__", None) or "") for member in members)]
    whole = "\n\n".join(texts)
    return [
        section for section, pattern in SECTIONS.items() if not pattern.search(own if section == "summary" else whole)
    ]


def problems(names: Iterable[tuple[str, Any]], waivers: Iterable[Waiver]) -> Iterator[str]:
    """What is wrong with the docstrings of public names, and with the waivers, a line for each."""
    waived: dict[tuple[str, str], str] = {}
    for waiver in waivers:
        if not waiver.why.strip():
            yield f"a waiver gives no reason: {', '.join(waiver.names)}"
        for name in waiver.names:
            for section in waiver.sections:
                if section not in SECTIONS:
                    yield f"{name}: {section!r} is waived; there are the sections {', '.join(SECTIONS)}"
                if (name, section) in waived:
                    yield f"{name}: {section} is waived twice"
                waived[name, section] = waiver.why
    needed = set()
    for name, value in names:
        if not has_docstring(value):
            continue
        for section in missing(value):
            if (name, section) in waived:
                needed.add((name, section))
            else:
                yield f"{name}: its docstring lacks {section}"
    for name, section in waived:
        if (name, section) not in needed and section in SECTIONS:
            yield f"{name}: {section} is waived, but is there, or the name is gone: take the waiver back"
