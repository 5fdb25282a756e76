"""The bijectors of whole models, small."""

from collections.abc import Callable
from typing import Any

from flowkit.flow import Flow
from flowkit.models.named.cylindrical_nsf import cylindrical_nsf
from flowkit.models.named.ffjord import ffjord
from flowkit.models.named.glow import glow
from flowkit.models.named.iaf import iaf
from flowkit.models.named.jet import jet
from flowkit.models.named.maf import maf
from flowkit.models.named.naf import naf
from flowkit.models.named.ncsf import ncsf
from flowkit.models.named.nice import nice
from flowkit.models.named.nsf import nsf
from flowkit.models.named.realnvp import realnvp
from flowkit.models.named.residual import residual
from flowkit.models.named.spherical_nsf import spherical_nsf
from flowkit.models.named.tarflow import tarflow
from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.catalogue.networks import CONTEXT, HIDDEN

__all__ = ["ENTRIES"]


def _vector(
    model: Callable[..., Flow],
    conditional: bool = False,
    fewest: int = 2,
    **settings: Any,
) -> Callable[[Draw], Case]:
    def build(draw: Draw) -> Case:
        features = draw(fewest, 4)
        context = CONTEXT if conditional else 0
        return Case(
            lambda: model(features, hidden=(HIDDEN,), context_features=context, **settings).bijector,
            (features,),
            (CONTEXT,) if conditional else None,
        )

    return build


def _glow(conditional: bool) -> Callable[[Draw], Case]:
    def build(draw: Draw) -> Case:
        channels, height, width = draw(1, 2), 4 * draw(1, 2), 4 * draw(1, 2)
        context = CONTEXT if conditional else 0
        return Case(
            lambda: glow((channels, height, width), 2, 1, HIDDEN, context).bijector,
            (channels, height, width),
            (CONTEXT, height, width) if conditional else None,
        )

    return build


def _patches(model: Callable[..., Flow], conditional: bool = False, **settings: Any) -> Callable[[Draw], Case]:
    def build(draw: Draw) -> Case:
        # Two positions, since the attention of one has nothing to weigh; each costs a step of decoding.
        channels, height, width = draw(1, 2), 2, 4
        context = CONTEXT if conditional else 0
        return Case(
            lambda: (
                model(
                    (channels, height, width), layers=1, width=HIDDEN, heads=2, context_channels=context, **settings
                ).bijector
            ),
            (channels, height, width),
            (CONTEXT, height, width) if conditional else None,
        )

    return build


def _cylindrical(draw: Draw) -> Case:
    angles, numbers = draw(1, 2), draw(1, 2)
    return Case(
        lambda: cylindrical_nsf(angles, numbers, layers=1, hidden=(HIDDEN,), bins=3, context_features=CONTEXT).bijector,
        (angles + numbers,),
        (CONTEXT,),
    )


REALNVP = "Dinh, Sohl-Dickstein and Bengio 2017"
NICE = "Dinh, Krueger and Bengio 2015"
MAF = "Papamakarios, Pavlakou and Murray 2017"
IAF = "Kingma et al. 2016"
NSF = "Durkan et al. 2019"
RESIDUAL = "Chen et al. 2019"
FFJORD = "Grathwohl et al. 2019"
NAF = "Huang et al. 2018"
GLOW = "Kingma and Dhariwal 2018"
JET = "Kolesnikov, Pinto and Tschannen 2024"
TARFLOW = "Zhai et al. 2024"
TORI_AND_SPHERES = "Rezende et al. 2020"

ENTRIES: dict[str, Entry] = {
    "realnvp": Entry("RealNVP", REALNVP, _vector(realnvp, layers=2)),
    "realnvp, conditional": Entry("RealNVP", REALNVP, _vector(realnvp, True, layers=2)),
    "nice": Entry("NICE", NICE, _vector(nice, layers=3)),
    "nice, conditional": Entry("NICE", NICE, _vector(nice, True, layers=3)),
    "maf": Entry("masked autoregressive flow", MAF, _vector(maf, layers=2)),
    "maf, conditional": Entry("masked autoregressive flow", MAF, _vector(maf, True, fewest=1, layers=2)),
    "iaf": Entry("inverse autoregressive flow", IAF, _vector(iaf, layers=2)),
    "iaf, conditional": Entry("inverse autoregressive flow", IAF, _vector(iaf, True, fewest=1, layers=2)),
    "nsf": Entry("neural spline flow", NSF, _vector(nsf, layers=2, bins=4)),
    "nsf, conditional": Entry("neural spline flow", NSF, _vector(nsf, True, layers=2, bins=4)),
    "nsf, autoregressive": Entry("neural spline flow", NSF, _vector(nsf, layers=2, bins=4, autoregressive=True)),
    "nsf, autoregressive, conditional": Entry(
        "neural spline flow", NSF, _vector(nsf, True, fewest=1, layers=2, bins=4, autoregressive=True)
    ),
    "ncsf, conditional": Entry(
        "neural circular spline flow", TORI_AND_SPHERES, _vector(ncsf, True, fewest=1, layers=2, bins=3)
    ),
    "cylindrical_nsf, conditional": Entry(
        "neural spline flow of angles beside real numbers", TORI_AND_SPHERES, _cylindrical
    ),
    "spherical_nsf, conditional": Entry(
        "neural spline flow on a sphere", TORI_AND_SPHERES, _vector(spherical_nsf, True, fewest=3, layers=1, bins=3)
    ),
    "residual": Entry("residual flow", RESIDUAL, _vector(residual, fewest=1, blocks=2)),
    "residual, conditional": Entry("residual flow", RESIDUAL, _vector(residual, True, fewest=1, blocks=1)),
    "residual, estimated": Entry("residual flow", RESIDUAL, _vector(residual, fewest=1, blocks=1, exact=False)),
    # By equal steps; the adaptive solver, much the slower, is checked as a layer.
    "ffjord": Entry("continuous flow", FFJORD, _vector(ffjord, fewest=1, steps=8)),
    "ffjord, conditional": Entry("continuous flow", FFJORD, _vector(ffjord, True, fewest=1, steps=8)),
    "jet": Entry("Jet", JET, _patches(jet, couplings=2, spatial=2)),
    "tarflow, conditional": Entry("conditional TarFlow", TARFLOW, _patches(tarflow, True, blocks=2)),
    # Of one layer, as inverses call a transform many times. What the other autoregressive models and Gaussianization
    # consist of is checked as layers.
    "naf, conditional": Entry(
        "neural autoregressive flow", NAF, _vector(naf, True, fewest=1, layers=1, units=2, depth=1)
    ),
    "glow": Entry("Glow", GLOW, _glow(conditional=False)),
    "glow, conditional": Entry("conditional Glow", f"{GLOW}; Lugmayr et al. 2020", _glow(conditional=True)),
}
