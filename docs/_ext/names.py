"""The directive ``public-names``: a table of public names, then each one's documentation."""

import importlib
import inspect
from typing import ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import make_refnode, nested_parse_with_titles

from docstrings import PACKAGES

__all__ = ["PublicNames", "setup"]


class PublicNames(SphinxDirective):
    """Document classes and functions of a module, given one to a line; after a colon, private members to be shown.

    A name is documented under the module that is named here, where the user imports it from, wherever its file is.
    """

    required_arguments: ClassVar[int] = 1
    has_content: ClassVar[bool] = True

    def run(self) -> list[nodes.Node]:
        """A summary and the entries, as if they stood there one by one."""
        module = importlib.import_module(self.arguments[0])
        entries = [line.strip().partition(":") for line in self.content if line.strip()]
        names = [name for name, _, _ in entries]
        lines = [f".. currentmodule:: {module.__name__}", "", ".. autosummary::", "   :nosignatures:", ""]
        lines += [f"   {name}" for name in names]
        for name, _, private in entries:
            lines += ["", f".. {_directive(getattr(module, name))}:: {name}"]
            lines += [f"   :private-members: {private.strip()}", ""] if private else [""]
        node = nodes.section()
        node.document = self.state.document
        nested_parse_with_titles(self.state, StringList(lines, source=self.get_source_info()[0]), node)
        return node.children


def _directive(value: object) -> str:
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction"


def _skip(app: Sphinx, what: str, name: str, value: object, skip: bool, options: object) -> bool | None:
    # Named tuples document their fields as "Alias for field number 0"; ours are under "Attributes".
    return True if type(value).__name__ == "_tuplegetter" else None


_PROPERTIES: dict[str, list[str]] = {}


def _keep(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    if what == "property":
        _PROPERTIES[name] = list(lines)


def _restore(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    # In a property's first line, napoleon takes what stands before a colon for its type.
    if name in _PROPERTIES and "type:" in " ".join(lines):
        lines[:] = _PROPERTIES.pop(name)


def _list_references(app: Sphinx, what: str, name: str, value: object, options: object, lines: list[str]) -> None:
    # One paper to an item: run together, they would be a paragraph, and one that begins with an author's initial would
    # be taken for an enumeration.
    if ".. rubric:: References" not in lines:
        return
    start = lines.index(".. rubric:: References") + 1
    end = next((i for i, line in enumerate(lines) if i >= start and line.startswith("..")), len(lines))
    entries: list[str] = []
    for line in filter(None, map(str.strip, lines[start:end])):
        if entries and not (entries[-1].endswith(".") and line[0].isupper()):
            entries[-1] += f" {line}"
        else:
            entries.append(line)
    lines[start:end] = ["", *(f"* \\ {entry}" for entry in entries), ""]


def _hide_signature(
    app: Sphinx, what: str, name: str, value: object, options: object, signature: str | None, result: str | None
) -> tuple[str, None] | None:
    # What a class without a constructor of its own has from torch says nothing.
    nothing = ("(*args: ~typing.Any, **kwargs: ~typing.Any)", "(*args: Any, **kwargs: Any)")
    return ("", None) if signature in nothing else None


def _public_reference(
    app: Sphinx, env: BuildEnvironment, node: addnodes.pending_xref, text: nodes.TextElement
) -> nodes.reference | None:
    """Docstrings name things by their module, or by name alone; the pages have them where they are public."""
    if node.get("refdomain") != "py":
        return None
    parts = node["reftarget"].split(".")
    objects = env.get_domain("py").data["objects"]
    tails = [".".join(parts[start:]) for start in range(len(parts))]
    candidates = [f"{package}.{tail}" for tail in tails for package in PACKAGES]
    candidates += [name for name in objects if name.endswith(f".{node['reftarget']}")]
    for name in candidates:
        if name in objects:
            found = objects[name]
            return make_refnode(app.builder, node["refdoc"], found.docname, found.node_id, text, name)
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Offer the directive."""
    app.connect("autodoc-skip-member", _skip)
    # Before and after napoleon, whose priority is 500.
    app.connect("autodoc-process-docstring", _keep, priority=400)
    app.connect("autodoc-process-docstring", _restore, priority=600)
    app.connect("autodoc-process-docstring", _list_references, priority=700)
    app.connect("autodoc-process-signature", _hide_signature)
    app.connect("missing-reference", _public_reference)
    app.add_directive("public-names", PublicNames)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
