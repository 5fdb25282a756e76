"""Exponential-map flows: what a single bump does is known in closed form, and the inverse finds its way everywhere."""

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from flowkit import Bijector, Inverse
from flowkit.bijectors import ExponentialMap


def directions(number: int, features: int) -> Tensor:
    return torch.nn.functional.normalize(torch.randn(number, features, dtype=torch.float64), dim=-1)


def layer_of(centres: Tensor, concentrations: Tensor, shares: Tensor) -> ExponentialMap:
    """A layer of given bumps, whose weights are 0.99 of the shares, which sum to less than 1."""
    layer = ExponentialMap(centres.shape[-1], len(centres)).double()
    logits = (shares / (1 - shares.sum())).log()
    raw = concentrations.expm1().log().where(concentrations < 30, concentrations)
    with torch.no_grad():
        layer.source.own.copy_(torch.cat([centres, raw[:, None], logits[:, None]], -1).flatten())
    return layer


def test_one_bump_moves_points_along_their_meridians() -> None:
    """Towards the centre by a known angle, which the colatitude's derivative and the circles' radii follow."""
    concentration, share = torch.tensor([5.0], dtype=torch.float64), torch.tensor([0.7], dtype=torch.float64)
    layer = layer_of(torch.tensor([[0.0, 0.0, 1.0]], dtype=torch.float64), concentration, share)
    weight = 0.99 * 0.7
    angle = torch.linspace(0.01, math.pi - 0.01, 50, dtype=torch.float64)
    z, log_det = layer(torch.stack([angle.sin(), torch.zeros_like(angle), angle.cos()], -1))
    bump = weight * (5 * (angle.cos() - 1)).exp()
    moved = angle - bump * angle.sin()
    torch.testing.assert_close(z, torch.stack([moved.sin(), torch.zeros_like(angle), moved.cos()], -1))
    along = 1 - bump * (angle.cos() - 5 * angle.sin().square())
    torch.testing.assert_close(log_det, (along * moved.sin() / angle.sin()).log())


@settings(max_examples=40, deadline=None)
@given(
    features=st.integers(2, 5),
    components=st.integers(1, 8),
    total=st.floats(0.05, 0.999),
    sharpest=st.floats(-1, 3.5),
    together=st.booleans(),
    seed=st.integers(0, 2**31 - 1),
)
def test_every_point_comes_back(
    features: int, components: int, total: float, sharpest: float, together: bool, seed: int
) -> None:
    """Whatever the parameters: bumps of any width, beside each other or not, and points at their edges."""
    torch.manual_seed(seed)
    centres = directions(components, features)
    if together:
        centres = torch.nn.functional.normalize(centres[:1] + 0.3 * centres, dim=-1)
    concentrations = 10 ** (sharpest - 2 * torch.rand(components, dtype=torch.float64))
    shares = torch.rand(components, dtype=torch.float64) + 0.01
    layer = layer_of(centres, concentrations, total * shares / shares.sum())
    spread = torch.rand(200, 1, dtype=torch.float64) * 4 / concentrations[torch.arange(200) % components, None].sqrt()
    near = centres[torch.arange(200) % components] + spread * torch.randn(200, features, dtype=torch.float64)
    x = torch.cat([directions(100, features), torch.nn.functional.normalize(near, dim=-1)])
    with torch.no_grad():
        z, log_det = layer(x)
        back, log_det_back = layer.inverse(z)
    # Rounding, by a map that contracts to a hundredth at most.
    assert (back - x).abs().max() < 1e-12
    assert (log_det + log_det_back).abs().max() < 1e-9
    # The area nowhere shrinks to less than the weights allow.
    assert log_det.min() >= (features - 1) * math.log1p(-0.99 * total) - 1e-9


def test_float32_comes_back_and_stays_on_the_sphere() -> None:
    torch.manual_seed(0)
    centres = directions(6, 3)
    concentrations, shares = 10 ** (2 * torch.rand(6, dtype=torch.float64)), torch.full((6,), 0.99 / 6)
    layer = layer_of(centres, concentrations, shares.double()).float()
    x = directions(2000, 3).float()
    with torch.no_grad():
        z, _ = layer(x)
        back, _ = layer.inverse(z)
    assert (z.norm(dim=-1) - 1).abs().max() < 1e-6
    assert (back - x).abs().max() < 1e-4


def test_second_derivatives_of_the_inverse() -> None:
    torch.manual_seed(1)
    layer = layer_of(directions(2, 3), torch.tensor([3.0, 6.0]).double(), torch.tensor([0.5, 0.3]).double())
    z = directions(2, 3).requires_grad_()
    parameters = layer.source.own

    def call(module: Bijector[Tensor, Tensor], name: str) -> Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]:
        return lambda z, own: torch.func.functional_call(module, {name: own}, (z,))

    torch.autograd.gradgradcheck(call(layer, "source.own"), (z, parameters), fast_mode=True)
    torch.autograd.gradgradcheck(call(Inverse(layer), "bijector.source.own"), (z, parameters), fast_mode=True)


def test_points_gather_at_the_centres() -> None:
    layer = layer_of(
        torch.tensor([[0.0, 0.0, 1.0]]).double(), torch.tensor([2.0]).double(), torch.tensor([0.9]).double()
    )
    torch.manual_seed(0)
    x = directions(2000, 3)
    assert (layer(x)[0][:, 2] >= x[:, 2]).all()
    # A tenth of a uniform sample lies there.
    assert (layer(x)[0][:, 2] > 0.8).double().mean() > 0.18


def test_it_starts_near_the_identity() -> None:
    torch.manual_seed(0)
    x = directions(500, 4)
    z, log_det = ExponentialMap(4).double()(x)
    assert (z - x).norm(dim=-1).max() < 0.1
    assert log_det.abs().max() < 0.4


@pytest.mark.parametrize(
    ("features", "components", "message"),
    [(1, 2, "features is 1; vectors on a circle have 2"), (3, 0, "components is 0; at least 1")],
)
def test_sizes_that_make_no_map_are_refused(features: int, components: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        ExponentialMap(features, components)
