"""Planar and radial flows, with and without context."""

from collections.abc import Callable

from flowkit.bijectors.planar import Planar
from flowkit.bijectors.radial import Radial
from flowkit.nn.mlp import MLP
from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.catalogue.networks import CONTEXT, HIDDEN

__all__ = ["ENTRIES"]


def _planar(conditional: bool) -> Callable[[Draw], Case]:
    def build(draw: Draw) -> Case:
        features = draw(1, 5)

        def make() -> Planar:
            return Planar(features, MLP(CONTEXT, 2 * features + 1, (HIDDEN,)) if conditional else None)

        return Case(make, (features,), (CONTEXT,) if conditional else None)

    return build


def _radial(conditional: bool) -> Callable[[Draw], Case]:
    def build(draw: Draw) -> Case:
        features = draw(1, 5)

        def make() -> Radial:
            return Radial(features, MLP(CONTEXT, features + 2, (HIDDEN,)) if conditional else None)

        return Case(make, (features,), (CONTEXT,) if conditional else None)

    return build


PLANAR = "Rezende and Mohamed 2015, eq. 10"
RADIAL = "Rezende and Mohamed 2015, eq. 14"

ENTRIES: dict[str, Entry] = {
    "Planar": Entry("planar flow", PLANAR, _planar(conditional=False)),
    "Planar, conditional": Entry("conditional planar flow", PLANAR, _planar(conditional=True)),
    "Radial": Entry("radial flow", RADIAL, _radial(conditional=False)),
    "Radial, conditional": Entry("conditional radial flow", RADIAL, _radial(conditional=True)),
}
