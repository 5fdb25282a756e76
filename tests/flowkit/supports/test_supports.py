"""Supports: what lies on them, what is refused, and that their frames span a volume of 1 in the stated measure."""

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Dirichlet, LKJCholesky, constraints

from flowkit.bijectors import Box, Concatenate, CorrelationCholesky, Coupling, Ordered, Positive, StickBreaking
from flowkit.interop.torch_transforms import codomain_constraint, domain_constraint
from flowkit.models.named.spherical_nsf import spherical_nsf
from flowkit.supports import (
    BoxSupport,
    CorrelationCholeskySupport,
    CylinderSupport,
    OrderedSupport,
    ProductSupport,
    SimplexSupport,
    SphereSupport,
    Support,
    SupportConstraint,
)

SUPPORTS: dict[str, tuple[Support, tuple[int, ...]]] = {
    "box": (BoxSupport(torch.tensor([0.0, -2.0, 5.0]), torch.tensor([1.0, 3.0, 5.5])), (3,)),
    "simplex": (SimplexSupport(), (4,)),
    "ordered": (OrderedSupport(), (4,)),
    "correlation": (CorrelationCholeskySupport(), (3, 3)),
    "sphere": (SphereSupport(), (3,)),
    "cylinder": (CylinderSupport(), (3,)),
    "product": (ProductSupport([SimplexSupport(), SphereSupport()], [3, 2]), (5,)),
}
every = pytest.mark.parametrize(("support", "shape"), SUPPORTS.values(), ids=SUPPORTS)


@every
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16], ids=str)
def test_what_is_drawn_lies_on_it(support: Support, shape: tuple[int, ...], dtype: torch.dtype) -> None:
    x = support.draw(shape, (50, 2), dtype, torch.Generator().manual_seed(0))
    assert x.shape == (50, 2, *shape)
    assert x.dtype == dtype
    assert support.contains(x).shape == (50, 2)
    assert support.contains(x).all()


@every
def test_what_is_off_is_refused_with_its_name(support: Support, shape: tuple[int, ...]) -> None:
    x = support.draw(shape, (3,), torch.float64, torch.Generator().manual_seed(0))
    # Of the other sign and enlarged, no event of these lies where it did.
    x[1] = -30 * x[1]
    assert support.contains(x).tolist() == [True, False, True]
    with pytest.raises(ValueError, match=r"It takes .*, got \["):
        support.require(x, "It")
    x[1, ..., 0] = math.nan
    assert not support.contains(x)[1]


@every
def test_frames_are_tangent(support: Support, shape: tuple[int, ...]) -> None:
    point = support.draw(shape, (), torch.float64, torch.Generator().manual_seed(0))
    frame = support.frame(point)
    if frame is None:
        frame = torch.eye(point.numel(), dtype=torch.float64)
    # A step of 1e-4 along the set leaves it by its square.
    for vector in frame.T:
        assert support.contains(point + 1e-4 * vector.reshape(shape))
    off = torch.linalg.qr(frame, mode="complete").Q[:, frame.shape[1] :].T
    assert not any(support.contains(point + 0.01 * vector.reshape(shape)) for vector in off)


@pytest.mark.parametrize(
    ("bijector", "constraint"),
    [
        (StickBreaking(), constraints.simplex),
        (CorrelationCholesky(), constraints.corr_cholesky),
        (Positive(), constraints.independent(constraints.positive, 1)),
        (Positive(event_dims=3), constraints.independent(constraints.positive, 3)),
    ],
)
def test_torch_has_constraints_for_some(bijector: object, constraint: constraints.Constraint) -> None:
    found = domain_constraint(bijector)  # type: ignore[arg-type]
    assert str(found) == str(constraint)
    assert codomain_constraint(bijector).event_dim == bijector.latent_event_dims  # type: ignore[arg-type, attr-defined]


def test_boxes_keep_the_bounds_of_each_entry() -> None:
    constraint = domain_constraint(Box(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 5.0])))
    assert constraint.check(torch.tensor([[0.5, 3.0], [3.0, 0.5]])).tolist() == [True, False]
    with pytest.raises(ValueError, match="Box takes values in the open box from"):
        Box(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 5.0]))(torch.tensor([3.0, 0.5]))


@pytest.mark.parametrize(
    ("bijector", "inside", "outside"),
    [
        (Ordered(), [1.0, 2.0, 3.0], [1.0, 3.0, 2.0]),
        (spherical_nsf(3).bijector, [0.0, 0.6, 0.8], [0.5, 0.6, 0.8]),
        (Concatenate([Positive(), StickBreaking()], [1, 2]), [7.0, 0.3, 0.7], [7.0, 0.3, 0.3]),
    ],
)
def test_others_have_constraints_of_our_own(bijector: object, inside: list[float], outside: list[float]) -> None:
    constraint = domain_constraint(bijector)  # type: ignore[arg-type]
    assert isinstance(constraint, SupportConstraint)
    assert constraint.event_dim == 1
    assert constraint.check(torch.tensor([inside, outside])).tolist() == [True, False]
    with pytest.raises(ValueError, match=r"takes .*, got"):
        bijector(torch.tensor([outside]))  # type: ignore[operator]


def volume(frame: Tensor) -> Tensor:
    return torch.linalg.det(frame.T @ frame).sqrt()


def test_measures_are_those_of_torch_s_densities() -> None:
    """The frames, whose volume is 1, against the coordinates that torch's densities refer to."""
    simplex = SimplexSupport().frame(torch.tensor([0.2, 0.3, 0.5]))
    assert torch.equal(simplex[:2], torch.eye(2))
    uniform = Dirichlet(torch.ones(3)).log_prob(torch.tensor([0.2, 0.3, 0.5])).exp()
    # A triangle of area 1/2 in the first two coordinates, of area sqrt(3)/2 in space.
    assert uniform * 0.5 == pytest.approx(1.0)
    assert uniform * (3**0.5 / 2) / volume(simplex) == pytest.approx(1.0)
    factor = LKJCholesky(3).sample(torch.Size())
    rows, columns = torch.tril_indices(3, 3, -1)
    below = CorrelationCholeskySupport().frame(factor).reshape(3, 3, 3)[rows, columns]
    assert torch.equal(below, torch.eye(3))
    assert volume(SphereSupport().frame(torch.tensor([0.0, 0.6, 0.8]))) == pytest.approx(1.0)


def test_a_coupling_keeps_no_support() -> None:
    assert Coupling(2, torch.nn.Linear(1, 2), event_dims=1).data_support() is None
