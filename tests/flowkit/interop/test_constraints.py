"""Intervals as torch's constraints, and which constraint a bijector's data keep."""

import math

import pytest
import torch
from torch.distributions import biject_to, constraints
from torch.distributions.transforms import CorrCholeskyTransform, ExpTransform, StickBreakingTransform

from flowkit.bijector import Bijector
from flowkit.bijectors import Chain, Coupling, Elementwise, Inverse, LogitPreprocessing, LULinear
from flowkit.interop.constraints import constraint_of, exact_interval, interval_of
from flowkit.interop.torch_transforms import FromTorchTransform, codomain_constraint, domain_constraint
from flowkit.transforms import Arctanh, Exp, Log, Logit, Power, Sigmoid, Softplus, Tanh


@pytest.mark.parametrize(
    ("constraint", "interval"),
    [
        (constraints.real, (-math.inf, math.inf)),
        (constraints.real_vector, (-math.inf, math.inf)),
        (constraints.positive, (0, math.inf)),
        (constraints.nonnegative, (0, math.inf)),
        (constraints.unit_interval, (0, 1)),
        (constraints.interval(-2, 3), (-2, 3)),
        (constraints.half_open_interval(-2, 3), (-2, 3)),
        (constraints.greater_than(1.5), (1.5, math.inf)),
        (constraints.greater_than_eq(1.5), (1.5, math.inf)),
        (constraints.less_than(1.5), (-math.inf, 1.5)),
        (constraints.independent(constraints.independent(constraints.positive, 1), 1), (0, math.inf)),
        (constraints.interval(torch.tensor([0.0, -1.0]), torch.tensor([1.0, 2.0])), (-1, 2)),
        (constraints.simplex, (-math.inf, math.inf)),
        (constraints.corr_cholesky, (-math.inf, math.inf)),
    ],
    ids=repr,
)
def test_constraints_are_intervals(constraint: constraints.Constraint, interval: tuple[float, float]) -> None:
    assert interval_of(constraint) == interval


@pytest.mark.parametrize(
    "interval", [(-math.inf, math.inf), (0.0, math.inf), (-math.inf, 2.0), (-1.0, 1.0), (1.5, math.inf)], ids=str
)
def test_intervals_are_constraints_of_whole_events(interval: tuple[float, float]) -> None:
    constraint = constraint_of(interval, 2)
    assert constraint.event_dim == 2
    assert interval_of(constraint) == interval
    lower, upper = (max(interval[0], -3.0), min(interval[1], 3.0))
    inside = torch.linspace(lower, upper, 32)[1:-1].reshape(5, 2, 3)
    assert constraint.check(inside).tolist() == [True] * 5
    outside = inside.clone()
    outside[3, 1, 2] = math.nan
    assert constraint.check(outside).tolist() == [True, True, True, False, True]


@pytest.mark.parametrize(
    ("interval", "named"),
    [
        ((-math.inf, math.inf), constraints.real),
        ((0.0, math.inf), constraints.positive),
        ((0.0, 1.0), constraints.unit_interval),
    ],
    ids=str,
)
def test_named_constraints_are_the_objects_of_torch(
    interval: tuple[float, float], named: constraints.Constraint
) -> None:
    constraint = constraint_of(interval, 1)
    assert isinstance(constraint, constraints.independent)
    assert constraint.base_constraint is named


@pytest.mark.parametrize(
    ("ends", "exact"),
    [
        (Log().domain, (0.0, math.inf)),
        (Exp().domain, (-math.inf, math.inf)),
        (Softplus().codomain, (0.0, math.inf)),
        (Softplus().domain, (-math.inf, math.inf)),
        (Power(2.0).domain, (0.0, math.inf)),
        (Power(-0.3).codomain, (0.0, math.inf)),
        (Power(1000.0).domain, (0.0, math.inf)),
        (Logit().domain, (0.0, 1.0)),
        (Tanh().codomain, (-1.0, 1.0)),
        (LogitPreprocessing(0.25).domain, pytest.approx((-0.5, 1.5))),
    ],
)
def test_the_limits_of_a_data_type_are_no_ends(ends: object, exact: tuple[float, float]) -> None:
    assert exact_interval(ends) == exact  # type: ignore[arg-type]


def vectors(transform: object) -> Bijector[torch.Tensor, torch.Tensor]:
    return Elementwise(transform)  # type: ignore[arg-type]


POSITIVE = constraints.independent(constraints.positive, 1)
UNIT = constraints.independent(constraints.unit_interval, 1)
REAL = constraints.independent(constraints.real, 1)


@pytest.mark.parametrize(
    ("bijector", "data", "latents"),
    [
        (vectors(Log()), POSITIVE, REAL),
        (Inverse(vectors(Sigmoid())), UNIT, REAL),
        (Chain([vectors(Logit()), LULinear(3), vectors(Exp())]), UNIT, POSITIVE),
        (Chain([Inverse(Chain([vectors(Softplus())])), vectors(Sigmoid())]), POSITIVE, UNIT),
        (vectors(Log()).bind(None), POSITIVE, REAL),
        (vectors(Arctanh()), constraints.independent(constraints.interval(-1.0, 1.0), 1), REAL),
        (FromTorchTransform(ExpTransform().inv), POSITIVE, REAL),
        (FromTorchTransform(StickBreakingTransform().inv), constraints.simplex, constraints.real_vector),
        (Chain([FromTorchTransform(StickBreakingTransform().inv), LULinear(2)]), constraints.simplex, REAL),
        (Coupling(2, torch.nn.Linear(1, 2), event_dims=1), REAL, REAL),
    ],
)
def test_the_constraints_of_a_bijector(
    bijector: Bijector[torch.Tensor, torch.Tensor], data: constraints.Constraint, latents: constraints.Constraint
) -> None:
    assert str(domain_constraint(bijector)) == str(data)
    assert str(codomain_constraint(bijector)) == str(latents)
    assert domain_constraint(bijector).event_dim == codomain_constraint(bijector).event_dim == bijector.event_dims


def test_a_transform_that_changes_event_dims_is_refused() -> None:
    with pytest.raises(ValueError, match="takes events of 1 dimensions to events of 2"):
        FromTorchTransform(CorrCholeskyTransform())


@pytest.mark.parametrize("transform", [Log(), Logit(), Power(2.0)], ids=lambda t: type(t).__name__)
def test_samplers_map_the_real_line_onto_the_data_without_overflow(transform: object) -> None:
    onto = biject_to(domain_constraint(vectors(transform)))
    u = torch.linspace(-20, 20, 9, dtype=torch.float64)[:, None]
    x = onto(u)
    assert torch.isfinite(x).all()
    assert torch.isfinite(onto.log_abs_det_jacobian(u, x)).all()
    vectors(transform)(x)
