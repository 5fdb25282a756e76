"""The directive ``contract-table``: the properties of the contract, as the checks state them."""

from typing import ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from tables import table

from flowkit.testing.properties import PROPERTIES
from flowkit.testing.property import Property

__all__ = ["ContractTable", "setup"]


class ContractTable(SphinxDirective):
    """A row for each property, and below why the tolerances are what they are."""

    required_arguments: ClassVar[int] = 0

    def run(self) -> list[nodes.Node]:
        """The table, and a list of the reasons."""
        reasons: dict[tuple[float, str], list[Property]] = {}
        for claim in PROPERTIES:
            if claim.tolerance:
                reasons.setdefault((claim.tolerance, claim.justification), []).append(claim)
        items = [_reason(tolerance, why, of) for (tolerance, why), of in reasons.items()]
        claims = table(("property", "what is claimed", "tolerance"), (25, 60, 15), map(_line, PROPERTIES))
        return [claims, nodes.paragraph(text="The tolerances:"), nodes.bullet_list("", *items)]


def _line(claim: Property) -> tuple[nodes.Node, ...]:
    tolerance = f"{claim.tolerance:g}" if claim.tolerance else ""
    return nodes.literal(text=claim.id), nodes.Text(claim.statement), nodes.Text(tolerance)


def _reason(tolerance: float, why: str, properties: list[Property]) -> nodes.list_item:
    text = nodes.paragraph("", "", nodes.strong(text=f"{tolerance:g}"))
    for place, claim in enumerate(properties):
        text += [nodes.Text(", " if place else " ("), nodes.literal(text=claim.id)]
    text += nodes.Text(f"): {why}.")
    return nodes.list_item("", text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Offer the directive."""
    app.add_directive("contract-table", ContractTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
