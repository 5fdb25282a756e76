import io

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from flowkit.nn.lipschitz import LipschitzLinear, LipschitzMLP

# Rounding of singular values and products in float64.
ROUNDING = 1 + 1e-12


def spectral_norm(weight: torch.Tensor) -> float:
    return torch.linalg.svdvals(weight.detach()).max().item()


# --- the linear layer -----------------------------------------------------------------------------------------------


@settings(max_examples=30, deadline=None)
@given(
    rows=st.integers(1, 6),
    columns=st.integers(1, 6),
    magnitude=st.floats(-8, 8),
    coefficient=st.floats(0.05, 3),
    seed=st.integers(0, 999),
)
def test_the_norm_is_bounded_for_any_weight(
    rows: int, columns: int, magnitude: float, coefficient: float, seed: int
) -> None:
    torch.manual_seed(seed)
    layer = LipschitzLinear(columns, rows, coefficient).double()
    layer.weight.data.normal_().mul_(10**magnitude)
    norm, bounded = spectral_norm(layer.weight), spectral_norm(layer.bounded_weight())
    assert bounded <= coefficient * ROUNDING
    # Not more than needed is taken away, and nothing where nothing is needed.
    assert bounded == pytest.approx(min(norm, coefficient), rel=1e-12)
    if norm < coefficient:
        assert torch.equal(layer.bounded_weight(), layer.weight)


def test_the_bound_holds_at_once_after_parameters_change() -> None:
    # What a power iteration kept from earlier calls gets wrong.
    torch.manual_seed(0)
    layer = LipschitzLinear(5, 5, 0.9).double()
    layer(torch.ones(1, 5, dtype=torch.float64))
    changed = torch.diag(torch.tensor([1.0, 1.0, 1.0, 1.0, 50.0], dtype=torch.float64))
    with torch.no_grad():
        layer.weight.copy_(changed)
    assert spectral_norm(layer.bounded_weight()) == pytest.approx(0.9)
    file = io.BytesIO()
    torch.save({"weight": 100 * changed.flip(0), "bias": torch.zeros(5, dtype=torch.float64)}, file)
    file.seek(0)
    layer.load_state_dict(torch.load(file))
    assert spectral_norm(layer.bounded_weight()) == pytest.approx(0.9)
    assert set(layer.state_dict()) == {"weight", "bias"}


@pytest.mark.parametrize("magnitude", [0.1, 10.0], ids=["free", "bounded"])
def test_the_bounded_weight_has_the_right_gradient(magnitude: float) -> None:
    torch.manual_seed(0)
    layer = LipschitzLinear(3, 4, 0.9).double()
    weight = (magnitude * torch.randn(4, 3, dtype=torch.float64)).requires_grad_()

    def bounded(weight: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(layer, {"weight": weight}, torch.eye(3, dtype=torch.float64))

    assert torch.autograd.gradcheck(bounded, weight)


def test_a_zero_weight_has_a_finite_gradient() -> None:
    layer = LipschitzLinear(3, 3, 0.9)
    nn.init.zeros_(layer.weight)
    layer(torch.ones(1, 3)).sum().backward()
    assert layer.weight.grad is not None
    assert layer.weight.grad.isfinite().all()
    assert (layer.weight.grad == 1).all()


def test_half_precision_does_not_reach_the_norm() -> None:
    torch.manual_seed(0)
    layer = LipschitzLinear(8, 8, 0.9)
    layer.weight.data.mul_(100)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        bounded = layer.bounded_weight()
    assert bounded.dtype == torch.float32
    assert torch.equal(bounded, layer.bounded_weight())


@pytest.mark.parametrize("coefficient", [0.0, -1.0, float("nan")])
def test_a_constant_that_is_not_positive_is_refused(coefficient: float) -> None:
    with pytest.raises(ValueError, match=f"coefficient is {coefficient}"):
        LipschitzLinear(2, 2, coefficient)


# --- the network ----------------------------------------------------------------------------------------------------


@settings(max_examples=20, deadline=None)
@given(
    features=st.integers(1, 4),
    hidden=st.lists(st.integers(1, 6), max_size=3),
    coefficient=st.floats(0.1, 0.99),
    magnitude=st.floats(-1, 3),
    seed=st.integers(0, 999),
)
def test_no_two_points_come_further_apart_than_the_constant_says(
    features: int, hidden: list[int], coefficient: float, magnitude: float, seed: int
) -> None:
    torch.manual_seed(seed)
    network = LipschitzMLP(features, hidden, context_features=2, coefficient=coefficient).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(10**magnitude * torch.randn_like(parameter))
    prepared = network.prepare(torch.randn(1, 2, dtype=torch.float64))
    x = torch.randn(200, features, dtype=torch.float64)
    # Neighbours see the slope, distant points the secant.
    direction = torch.nn.functional.normalize(torch.randn_like(x), dim=-1)
    y = x + 10 ** torch.empty(200, 1, dtype=torch.float64).uniform_(-4, 1) * direction
    ratio = (network(x, prepared) - network(y, prepared)).norm(dim=-1) / (x - y).norm(dim=-1)
    # Differences of numbers of the size of the biases, rounded at 1e-16, over distances of 1e-4 and more.
    assert ratio.max() <= coefficient * (1 + 1e-9) + 1e-11 * 10**magnitude


def test_the_constant_is_reached() -> None:
    network = LipschitzMLP(3, hidden=(), coefficient=0.8).double()
    network.layers[0].weight.data.normal_().mul_(100)
    assert spectral_norm(network.prepare(None).weights[0]) == pytest.approx(0.8)
    deeper = LipschitzMLP(3, hidden=(4, 4), coefficient=0.8).double()
    for layer in deeper.layers:
        layer.weight.data.normal_().mul_(100)
    norms = [spectral_norm(weight) for weight in deeper.prepare(None).weights]
    assert torch.tensor(norms).prod().item() == pytest.approx(0.8)


def test_preparing_equals_not_preparing() -> None:
    torch.manual_seed(0)
    network = LipschitzMLP(3, (4,)).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    assert torch.equal(network(x), network(x, network.prepare(None)))


def test_a_context_of_one_serves_all_and_is_added_to_the_first_layer() -> None:
    torch.manual_seed(0)
    network = LipschitzMLP(3, (4,), context_features=2).double()
    x, context = torch.randn(5, 3, dtype=torch.float64), torch.randn(1, 2, dtype=torch.float64)
    one, repeated = network.prepare(context), network.prepare(context.expand(5, 2))
    torch.testing.assert_close(network(x, one), network(x, repeated))
    assert one.shift is not None
    assert one.shift.shape == (1, 4)
    assert not torch.allclose(network(x, one), network(x, network.prepare(context + 1)), atol=1e-6)


def test_every_parameter_gets_a_gradient_from_the_start() -> None:
    torch.manual_seed(0)
    network = LipschitzMLP(3, (4, 5), context_features=2)
    y = network(torch.randn(8, 3), network.prepare(torch.randn(8, 2)))
    assert 0 < y.abs().max() < 0.1
    (y * torch.randn_like(y)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in network.parameters())


@pytest.mark.parametrize("coefficient", [0.0, 1.0, 1.2, -0.5])
def test_a_constant_that_is_no_contractions_is_refused(coefficient: float) -> None:
    with pytest.raises(ValueError, match=f"coefficient is {coefficient}"):
        LipschitzMLP(2, coefficient=coefficient)


def test_other_sizes_are_refused() -> None:
    conditional = LipschitzMLP(3, (4,), context_features=2)
    with pytest.raises(ValueError, match="context of 2 features, got none"):
        conditional.prepare(None)
    with pytest.raises(ValueError, match=r"context of 2 features, got one of shape \(.*5\)"):
        conditional.prepare(torch.ones(1, 5))
    with pytest.raises(ValueError, match="context of 2 features, got none"):
        conditional(torch.ones(1, 3))
    with pytest.raises(ValueError, match="context of 0 features, got one of shape"):
        LipschitzMLP(3, (4,)).prepare(torch.ones(1, 2))
    with pytest.raises(ValueError, match=r"takes 3 features, got an input of shape \(1, 4\)"):
        LipschitzMLP(3, (4,))(torch.ones(1, 4))
