"""The directive ``catalogue-table``: the bijectors that the project's own run checks, as the table that drives it."""

from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from tables import table

from flowkit.testing.catalogue import CATALOGUE

__all__ = ["CatalogueTable", "setup"]


class CatalogueTable(SphinxDirective):
    """A row for each entry: its name, the field's term and where it comes from."""

    required_arguments: ClassVar[int] = 0

    def run(self) -> list[nodes.Node]:
        """The table."""
        rows = [
            (nodes.literal(text=name), nodes.Text(entry.term), nodes.Text(entry.paper))
            for name, entry in CATALOGUE.items()
        ]
        return [table(("name", "the field's term", "source"), (30, 35, 35), rows)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Offer the directive."""
    app.add_directive("catalogue-table", CatalogueTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
