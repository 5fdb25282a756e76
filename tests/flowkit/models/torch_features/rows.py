"""The rows of the table of torch's features: every named model, as small as it can be."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from flowkit.flow import Flow
from flowkit.testing import Case
from flowkit.testing.catalogue import CATALOGUE
from flowkit.testing.check import as_case
from flowkit.testing.subject import Subject
from tests.flowkit.models.settings import Settings, context_of, data, made_of, ready_of

__all__ = ["ROWS", "Row"]


@dataclass(frozen=True)
class Row:
    """A model, and where the suite checks it already.

    Args:
        model: its name and its settings, here.
        listed: what it is called in :data:`~tests.flowkit.models.settings.MODELS`; empty if it does not stand there.
        entries: what it is called in the catalogue of the contract, or what the layers are called that it consists of.
    """

    model: Settings
    listed: str
    entries: tuple[str, ...]

    @cached_property
    def flow(self) -> Flow:
        """The model in float64, its parameters moved; the checks share it and must not change it."""
        return self.another()

    def another(self, deviation: float = 0.3) -> Flow:
        """A new one, the same for the same deviation of its parameters."""
        return ready_of(self.model, deviation)

    def inputs(self, samples: int) -> tuple[Tensor, ...]:
        """Data, and a context if the model takes one."""
        context = context_of(self.model, samples)
        x = data(self.flow, samples)
        return (x,) if context is None else (x, context)

    @cached_property
    def subject(self) -> Subject:
        """The model's bijector as the contract's checks take it."""
        context = context_of(self.model)
        shape = None if context is None else tuple(context.shape)
        return Subject(Case(lambda: made_of(self.model).bijector, self.flow.event_shape, shape))

    def has_contract(self, property_id: str) -> bool:
        """Whether the run of the catalogue checks a property of this model, or of all its layers."""
        return not any(property_id in as_case(CATALOGUE[entry]).exempt for entry in self.entries)


TWO: Mapping[str, Any] = {"features": 2, "hidden": [4]}
PATCHES: Mapping[str, Any] = {"shape": [2, 1, 2], "patch": 1, "layers": 1, "width": 4, "heads": 2}

ROWS: dict[str, Row] = {
    "realnvp": Row(("realnvp", {**TWO, "layers": 1}), "realnvp", ("realnvp",)),
    "nice": Row(("nice", {**TWO, "layers": 3}), "nice", ("nice",)),
    "maf": Row(("maf", {**TWO, "layers": 1}), "maf", ("maf",)),
    "iaf": Row(("iaf", {**TWO, "layers": 1}), "iaf", ("iaf",)),
    "nsf": Row(("nsf", {**TWO, "layers": 1, "bins": 3}), "nsf", ("nsf",)),
    "nsf, autoregressive": Row(
        ("nsf", {**TWO, "layers": 1, "bins": 3, "autoregressive": True}), "nsf_autoregressive", ("nsf, autoregressive",)
    ),
    "naf": Row(("naf", {**TWO, "layers": 1, "units": 2, "depth": 1}), "naf", ("naf, conditional",)),
    "unaf": Row(
        ("unaf", {**TWO, "layers": 1, "signal": 2, "integrand": [2]}),
        "unaf",
        ("maf", "Elementwise, unconstrained monotonic"),
    ),
    "bnaf": Row(
        ("bnaf", {"features": 2, "layers": 1, "units": 2, "depth": 1}),
        "bnaf",
        ("maf", "BlockNeuralAutoregressive, conditional"),
    ),
    "sospf": Row(("sospf", {**TWO, "layers": 1}), "sospf", ("maf", "Elementwise, sum of squares")),
    "bpf": Row(("bpf", {**TWO, "layers": 1, "degree": 3}), "bpf", ("maf", "Elementwise, Bernstein")),
    "gaussianization": Row(
        ("gaussianization", {**TWO, "layers": 1, "components": 2}),
        "gaussianization",
        ("maf", "Elementwise, normal mixture"),
    ),
    "residual": Row(("residual", {**TWO, "blocks": 1}), "residual", ("residual",)),
    "ffjord, equal steps": Row(("ffjord", {**TWO, "steps": 1}), "ffjord", ("ffjord",)),
    "flow_matching, equal steps": Row(
        ("flow_matching", {**TWO, "steps": 1}), "flow_matching", ("NeuralODE, fixed steps",)
    ),
    "ffjord, adaptive steps": Row(("ffjord", {"features": 1, "hidden": [2]}), "", ("NeuralODE", "ffjord")),
    "ncsf": Row(("ncsf", {**TWO, "layers": 1, "bins": 3}), "ncsf", ("ncsf, conditional",)),
    "cylindrical_nsf": Row(
        ("cylindrical_nsf", {"angles": 1, "numbers": 1, "hidden": [4], "layers": 1, "bins": 3}),
        "cylindrical_nsf",
        ("cylindrical_nsf, conditional",),
    ),
    "spherical_nsf": Row(
        ("spherical_nsf", {"features": 3, "hidden": [4], "layers": 1, "bins": 3}),
        "spherical_nsf",
        ("spherical_nsf, conditional",),
    ),
    "glow": Row(("glow", {"shape": [1, 4, 4], "levels": 2, "steps": 1, "hidden": 4}), "glow", ("glow",)),
    "jet": Row(
        ("jet", {**PATCHES, "couplings": 1, "spatial": 1, "context_channels": 1}),
        "jet_conditional",
        ("jet", "ContextMap"),
    ),
    "tarflow": Row(
        ("tarflow", {**PATCHES, "blocks": 1, "context_channels": 1}), "tarflow_conditional", ("tarflow, conditional",)
    ),
}
