"""Continuous flows; those with an adaptive solver where torchdiffeq is installed."""

from importlib.util import find_spec

from flowkit.bijectors.neural_ode import NeuralODE
from flowkit.bijectors.ode_solvers import DormandPrince, RungeKutta4
from flowkit.bijectors.traces import HutchinsonTrace, Trace
from flowkit.nn.time_mlp import TimeMLP
from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.catalogue.networks import CONTEXT

__all__ = ["ENTRIES"]

# A short time, so that two steps of fourth order are exact to 1e-9: what is checked does not depend on how many.
TIME = 0.1

STEPS_DEPEND_ON_VALUES = {
    "compile": "an adaptive solver chooses its steps by the values, so that no one graph serves: take RungeKutta4",
    "vmap": "an adaptive solver chooses its steps by the values of the whole batch: take RungeKutta4",
}


def _adaptive(draw: Draw, trace: Trace | None = None, context_features: int = 0) -> Case:
    features, hidden = draw(1, 3), draw(2, 5)

    def make() -> NeuralODE:
        field = TimeMLP(features, (hidden,), context_features)
        return NeuralODE(field, trace, TIME, DormandPrince(tolerance=1e-9))

    return Case(make, (features,), (context_features,) if context_features else None, exempt=STEPS_DEPEND_ON_VALUES)


def _fixed_steps(draw: Draw, trace: Trace | None = None, context_features: int = 0) -> Case:
    features, hidden = draw(1, 3), draw(2, 5)

    def make() -> NeuralODE:
        return NeuralODE(TimeMLP(features, (hidden,), context_features), trace, TIME, RungeKutta4(steps=2))

    return Case(make, (features,), (context_features,) if context_features else None)


NEURAL_ODE = "Chen et al. 2018"
FFJORD = "Grathwohl et al. 2019"

FIXED: dict[str, Entry] = {
    "NeuralODE, fixed steps": Entry("continuous normalizing flow, fixed steps", f"{NEURAL_ODE}, sec. 4", _fixed_steps),
    "NeuralODE, fixed steps, conditional": Entry(
        "conditional continuous normalizing flow, fixed steps",
        f"{NEURAL_ODE}, sec. 4",
        lambda draw: _fixed_steps(draw, context_features=CONTEXT),
    ),
    "NeuralODE, fixed steps, Hutchinson trace": Entry(
        "FFJORD, fixed steps", f"{FFJORD}, sec. 3.1", lambda draw: _fixed_steps(draw, HutchinsonTrace())
    ),
}

ADAPTIVE: dict[str, Entry] = {
    "NeuralODE": Entry("continuous normalizing flow", f"{NEURAL_ODE}, sec. 4", _adaptive),
    "NeuralODE, conditional": Entry(
        "conditional continuous normalizing flow",
        f"{NEURAL_ODE}, sec. 4",
        lambda draw: _adaptive(draw, context_features=CONTEXT),
    ),
    "NeuralODE, Hutchinson trace": Entry(
        "FFJORD", f"{FFJORD}, sec. 3.1", lambda draw: _adaptive(draw, HutchinsonTrace())
    ),
}

ENTRIES: dict[str, Entry] = {**FIXED, **(ADAPTIVE if find_spec("torchdiffeq") else {})}
