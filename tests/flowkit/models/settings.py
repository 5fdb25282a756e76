"""Small models of every kind, for the tests that hold for each."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from flowkit.bijectors.actnorm import initialize
from flowkit.flow import Flow
from flowkit.models.registry import create_model
from flowkit.testing.subject import perturb

Settings = tuple[str, Mapping[str, Any]]

SMALL = {"features": 3, "hidden": [8]}

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
    "residual": ("residual", {**SMALL, "blocks": 2}),
    "residual_conditional": ("residual", {**SMALL, "blocks": 2, "context_features": 2}),
    "residual_estimated": ("residual", {**SMALL, "blocks": 2, "exact": False}),
    # By equal steps; the adaptive solver, much the slower, has its tests in test_ffjord.py.
    "ffjord": ("ffjord", {**SMALL, "steps": 8}),
    "ffjord_conditional": ("ffjord", {**SMALL, "steps": 8, "context_features": 2}),
    "ffjord_estimated": ("ffjord", {**SMALL, "exact": False, "steps": 4}),
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
}


def made(name: str) -> Flow:
    """One of the small models, as it is made."""
    model_name, settings = MODELS[name]
    flow = create_model(model_name, **settings)
    assert isinstance(flow, Flow)
    return flow


def data(flow: Flow, *batch: int) -> Tensor:
    return torch.randn(*batch, *flow.event_shape, dtype=torch.float64)  # type: ignore[misc]


def context_for(name: str, *batch: int) -> Tensor | None:
    """A context for one of the small models, if it takes any."""
    settings = MODELS[name][1]
    if "context_channels" in settings:
        shape = (settings["context_channels"], *settings["shape"][1:])
    elif "context_features" in settings:
        shape = (settings["context_features"],)
    else:
        return None
    return torch.randn(*batch, *shape, dtype=torch.float64)


def ready(name: str, deviation: float = 0.3) -> Flow:
    """One of the small models in float64, initialised, its parameters moved, in evaluation mode."""
    torch.manual_seed(0)
    flow = made(name).double()
    initialize(flow.bijector, data(flow, 16), context_for(name, 16))
    perturb(flow, deviation)
    return flow.eval()
