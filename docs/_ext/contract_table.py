"""The directives ``contract-table`` and ``stochastic-map-table``: properties of the contracts, as checks state them."""

from collections.abc import Sequence
from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from tables import table

from flowkit.testing.properties import PROPERTIES
from flowkit.testing.property import Property
from flowkit.testing.stochastic_maps import PROPERTIES as OF_MAPS

__all__ = ["ContractTable", "StochasticMapTable", "setup"]


class ContractTable(SphinxDirective):
    """A row for each property, and below why the tolerances are what they are."""

    required_arguments: ClassVar[int] = 0
    properties: ClassVar[Sequence[Property[Any]]] = PROPERTIES

    def run(self) -> list[nodes.Node]:
        """The table, and a list of the reasons."""
        reasons: dict[tuple[float, str], list[Property[Any]]] = {}
        for claim in self.properties:
            if claim.tolerance:
                reasons.setdefault((claim.tolerance, claim.justification), []).append(claim)
        items = [_reason(tolerance, why, of) for (tolerance, why), of in reasons.items()]
        claims = table(("property", "what is claimed", "tolerance"), (25, 60, 15), map(_line, self.properties))
        return [claims, nodes.paragraph(text="The tolerances:"), nodes.bullet_list("", *items)]


class StochasticMapTable(ContractTable):
    """The same for the contract of stochastic maps."""

    properties: ClassVar[Sequence[Property[Any]]] = OF_MAPS


def _line(claim: Property[Any]) -> tuple[nodes.Node, ...]:
    tolerance = f"{claim.tolerance:g}" if claim.tolerance else ""
    return nodes.literal(text=claim.id), nodes.Text(claim.statement), nodes.Text(tolerance)


def _reason(tolerance: float, why: str, properties: list[Property[Any]]) -> nodes.list_item:
    text = nodes.paragraph("", "", nodes.strong(text=f"{tolerance:g}"))
    for place, claim in enumerate(properties):
        text += [nodes.Text(", " if place else " ("), nodes.literal(text=claim.id)]
    text += nodes.Text(f"): {why}.")
    return nodes.list_item("", text)


def setup(app: Sphinx) -> dict[str, bool]:
    """Offer the directives."""
    app.add_directive("contract-table", ContractTable)
    app.add_directive("stochastic-map-table", StochasticMapTable)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
