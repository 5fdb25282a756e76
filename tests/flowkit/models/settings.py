"""Small models of every kind, for the tests that hold for each."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from flowkit.bijectors.actnorm import initialize
from flowkit.flow import Flow
from flowkit.models.registry import create_model
from flowkit.supports import SphereSupport, Support
from flowkit.testing.subject import perturb
from flowkit.testing.values import draw_on
from flowkit.transforms import wrap_angle

Settings = tuple[str, Mapping[str, Any]]

SMALL = {"features": 3, "hidden": [8]}
TINY = {"layers": 1, "width": 8, "heads": 2}

MODELS: dict[str, Settings] = {
    "realnvp": ("realnvp", {**SMALL, "layers": 3}),
    "realnvp_conditional": ("realnvp", {**SMALL, "layers": 2, "context_features": 2}),
    "nice": ("nice", SMALL),
    "nice_conditional": ("nice", {**SMALL, "layers": 3, "context_features": 2}),
    "maf": ("maf", {**SMALL, "layers": 2}),
    "maf_of_one_feature": ("maf", {"features": 1, "layers": 2, "hidden": [4]}),
    "maf_conditional": ("maf", {**SMALL, "layers": 2, "context_features": 2}),
    "iaf": ("iaf", {**SMALL, "layers": 2}),
    "iaf_conditional": ("iaf", {**SMALL, "layers": 2, "context_features": 2}),
    "nsf": ("nsf", {**SMALL, "layers": 2, "bins": 4}),
    "nsf_conditional": ("nsf", {**SMALL, "layers": 2, "bins": 4, "context_features": 2}),
    "nsf_autoregressive": ("nsf", {**SMALL, "layers": 2, "bins": 4, "autoregressive": True}),
    "nsf_autoregressive_conditional": (
        "nsf",
        {**SMALL, "layers": 2, "bins": 4, "autoregressive": True, "context_features": 2},
    ),
    "maf_in_passes": ("maf", {**SMALL, "layers": 2, "passes": 2}),
    "maf_over_a_graph": ("maf", {**SMALL, "layers": 2, "adjacency": [[0, 0, 0], [1, 0, 0], [0, 1, 0]]}),
    "iaf_over_a_graph": ("iaf", {**SMALL, "layers": 2, "adjacency": [[0, 0, 0], [1, 0, 0], [0, 1, 0]]}),
    "nsf_in_passes": ("nsf", {**SMALL, "layers": 2, "bins": 4, "autoregressive": True, "passes": 2}),
    "ncsf": ("ncsf", {**SMALL, "layers": 2, "bins": 4}),
    "ncsf_of_a_circle": ("ncsf", {**SMALL, "features": 1, "layers": 2, "bins": 4}),
    "ncsf_of_a_circle_conditional": (
        "ncsf",
        {**SMALL, "features": 1, "layers": 2, "bins": 4, "context_features": 2},
    ),
    "ncsf_conditional": ("ncsf", {**SMALL, "layers": 2, "bins": 4, "context_features": 2}),
    "cylindrical_nsf": ("cylindrical_nsf", {"angles": 2, "numbers": 3, "hidden": [4], "layers": 2, "bins": 4}),
    "cylindrical_nsf_conditional": (
        "cylindrical_nsf",
        {"angles": 1, "numbers": 1, "hidden": [4], "layers": 1, "bins": 3, "context_features": 2},
    ),
    "spherical_nsf": ("spherical_nsf", {**SMALL, "layers": 2, "bins": 4}),
    "spherical_nsf_conditional": ("spherical_nsf", {**SMALL, "features": 4, "layers": 2, "context_features": 2}),
    "residual": ("residual", {**SMALL, "blocks": 2}),
    "residual_conditional": ("residual", {**SMALL, "blocks": 2, "context_features": 2}),
    "residual_estimated": ("residual", {**SMALL, "blocks": 2, "exact": False}),
    # By equal steps; the adaptive solver, much the slower, has its tests in test_ffjord.py.
    "ffjord": ("ffjord", {**SMALL, "steps": 8}),
    "ffjord_conditional": ("ffjord", {**SMALL, "steps": 8, "context_features": 2}),
    "ffjord_estimated": ("ffjord", {**SMALL, "exact": False, "steps": 4}),
    "flow_matching": ("flow_matching", {**SMALL, "steps": 4}),
    "naf": ("naf", {**SMALL, "layers": 1, "units": 3}),
    "naf_conditional": ("naf", {**SMALL, "layers": 1, "units": 2, "depth": 1, "context_features": 2}),
    "unaf": ("unaf", {**SMALL, "layers": 1, "signal": 2, "integrand": [4]}),
    "sospf": ("sospf", {**SMALL, "layers": 2}),
    "bnaf": ("bnaf", {"features": 3, "layers": 1, "units": 2}),
    "bnaf_conditional": ("bnaf", {"features": 2, "layers": 2, "units": 2, "depth": 1, "context_features": 2}),
    "bpf": ("bpf", {**SMALL, "layers": 2, "degree": 5}),
    "gaussianization": ("gaussianization", {**SMALL, "layers": 2, "components": 3}),
    "gaussianization_conditional": (
        "gaussianization",
        {**SMALL, "layers": 2, "components": 3, "context_features": 2},
    ),
    "glow": ("glow", {"shape": [2, 4, 8], "levels": 2, "steps": 1, "hidden": 6}),
    "glow_conditional": ("glow", {"shape": [1, 4, 4], "levels": 2, "steps": 1, "hidden": 6, "context_channels": 2}),
    "glow_of_one_level": ("glow", {"shape": [3, 2, 4], "levels": 1, "steps": 2, "hidden": 6}),
    "jet_conditional": (
        "jet",
        {"shape": [2, 1, 3], "patch": 1, "couplings": 2, "spatial": 2, "context_channels": 2, **TINY},
    ),
    "tarflow_conditional": ("tarflow", {"shape": [2, 1, 3], "patch": 1, "blocks": 2, "context_channels": 2, **TINY}),
}


def made(name: str) -> Flow:
    """One of the small models, as it is made."""
    return made_of(MODELS[name])


def made_of(model: Settings) -> Flow:
    """A model, as it is made."""
    name, settings = model
    flow = create_model(name, **settings)
    assert isinstance(flow, Flow)
    return flow


def data(flow: Flow, *batch: int) -> Tensor:
    """Random events that a model takes."""
    generator = torch.Generator().manual_seed(int(torch.randint(2**31, ())))
    bijector, dtype = flow.bijector, torch.float64
    return draw_on(  # type: ignore[no-any-return]
        bijector.data_support(), bijector.domain(dtype), flow.event_shape, batch, dtype, generator
    )


def put_back(x: Tensor, support: Support | None) -> Tensor:
    """Events that were moved, or rounded, a little, back on the support that they were on."""
    return x / x.norm(dim=-1, keepdim=True) if isinstance(support, SphereSupport) else x


def entangled(flow: Flow, x: Tensor) -> Tensor:
    """Events whose entries hang together: their own and their neighbours' squares."""
    moved = 0.5 * x + 0.4 * x.roll(1, -1).square()
    lower, upper = flow.bijector.domain(torch.float64)
    # Of angles by whole turns.
    moved = moved if upper - lower > 7 else wrap_angle(moved)
    return put_back(moved, flow.bijector.data_support())


def context_for(name: str, *batch: int) -> Tensor | None:
    """A context for one of the small models, if it takes any."""
    return context_of(MODELS[name], *batch)


def context_of(model: Settings, *batch: int) -> Tensor | None:
    """A context for a model, if it takes any."""
    settings = model[1]
    if "context_channels" in settings:
        shape = (settings["context_channels"], *settings["shape"][1:])
    elif "context_features" in settings:
        shape = (settings["context_features"],)
    else:
        return None
    return torch.randn(*batch, *shape, dtype=torch.float64)


def ready(name: str, deviation: float = 0.3) -> Flow:
    """One of the small models in float64, initialised, its parameters moved, in evaluation mode."""
    return ready_of(MODELS[name], deviation)


def ready_of(model: Settings, deviation: float = 0.3) -> Flow:
    """A model in float64, initialised, its parameters moved, in evaluation mode."""
    torch.manual_seed(0)
    flow = made_of(model).double()
    initialize(flow.bijector, data(flow, 16), context_of(model, 16))
    perturb(flow, deviation)
    return flow.eval()
