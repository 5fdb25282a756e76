import itertools

import pytest
import torch
from torch import Tensor, nn

from flowkit.nn.made import MADE


def away_from_zero(network: MADE) -> MADE:
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_()
    return network.double()


def dependence(network: MADE, context: Tensor | None = None) -> Tensor:
    """Which feature's parameters depend on which feature: booleans, features x features."""
    prepared = network.prepare(context)
    x = torch.randn(network.features, dtype=torch.float64)
    jacobian = torch.func.jacrev(lambda x: network(x, prepared))(x)
    of_each = (jacobian != 0).unflatten(0, (network.features, network.parameters_per_feature))
    assert (of_each == of_each[:, :1]).all()
    return of_each[:, 0]


@pytest.mark.parametrize("order", [None, *itertools.permutations(range(3))], ids=str)
@pytest.mark.parametrize("hidden", [(), (8,), (6, 9, 7)], ids=str)
@pytest.mark.parametrize("context_features", [0, 2])
def test_a_feature_depends_on_all_before_it_and_no_other(
    order: tuple[int, ...] | None, hidden: tuple[int, ...], context_features: int
) -> None:
    network = away_from_zero(MADE(3, 2, hidden, context_features, nn.Tanh, order))
    context = torch.randn(context_features, dtype=torch.float64) if context_features else None
    ranks = torch.tensor(order or range(3)).argsort()
    assert torch.equal(dependence(network, context), ranks[:, None] > ranks[None])


def test_a_narrow_layer_spreads_its_degrees_over_all_features() -> None:
    # Three hidden units for nine features: what they see is cut at three places, not at the first three features.
    seen = dependence(away_from_zero(MADE(9, 1, (3,), activation=nn.Tanh))).sum(1)
    assert seen.tolist() == [0, 1, 1, 3, 3, 3, 6, 6, 6]


@pytest.mark.parametrize("features", [1, 3])
def test_the_context_reaches_every_feature(features: int) -> None:
    network = away_from_zero(MADE(features, 2, (8, 8), context_features=4, activation=nn.Tanh))
    x = torch.randn(features, dtype=torch.float64)
    context = torch.randn(4, dtype=torch.float64)
    jacobian = torch.func.jacrev(lambda c: network(x, network.prepare(c)))(context)
    assert (jacobian != 0).all()


def test_a_single_feature_depends_on_the_biases_alone() -> None:
    network = away_from_zero(MADE(1, 2, (4, 4)))
    y = network(torch.randn(5, 1, dtype=torch.float64))
    assert torch.equal(y, y[:1].expand(5, 2))
    assert (y != 0).all()


def test_a_new_network_gives_zeros() -> None:
    for hidden in ((), (4,)):
        assert torch.equal(MADE(3, 2, hidden)(torch.rand(5, 3)), torch.zeros(5, 6))


@pytest.mark.parametrize("batch", [(), (4,), (2, 3)], ids=str)
@pytest.mark.parametrize("hidden", [(), (2,), (8, 5)], ids=str)
@pytest.mark.parametrize("context_features", [0, 2])
def test_unrolling_is_the_network_feature_by_feature(
    batch: tuple[int, ...], hidden: tuple[int, ...], context_features: int
) -> None:
    order = [2, 0, 3, 1]
    network = away_from_zero(MADE(4, 3, hidden, context_features, nn.Tanh, order))
    x = torch.randn(*batch, 4, dtype=torch.float64)
    prepared = network.prepare(torch.randn(*batch, 2, dtype=torch.float64) if context_features else None)
    expected = network(x, prepared).unflatten(-1, (4, 3))
    visited = []

    def solve(feature: int, raw: Tensor) -> Tensor:
        visited.append(feature)
        torch.testing.assert_close(raw.expand(*batch, 3), expected[..., feature, :])
        return x[..., feature]

    network.unroll(solve, prepared)
    assert visited == order


def test_the_state_holds_weights_alone() -> None:
    network = MADE(3, 2, (4,))
    assert set(network.state_dict()) == {f"layers.{i}.{name}" for i in (0, 1) for name in ("weight", "bias")}


@pytest.mark.parametrize("order", [(0, 1), (0, 1, 1), (1, 2, 3)], ids=str)
def test_an_order_that_is_no_permutation_is_refused(order: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=r"it must name each of the features 0 to 2 once"):
        MADE(3, 2, order=order)


def test_unrolling_with_an_activation_in_place_leaves_the_parameters_alone() -> None:
    # Of a single feature, without context, the first layer's result is its bias itself.
    network = away_from_zero(MADE(1, 2, (4, 4), activation=lambda: nn.ReLU(inplace=True)))
    before = [parameter.clone() for parameter in network.parameters()]
    found: list[Tensor] = []

    def solve(feature: int, raw: Tensor) -> Tensor:
        found.append(raw)
        return torch.zeros(5, dtype=torch.float64)

    network.unroll(solve)
    assert torch.equal(found[0], network(torch.randn(1, dtype=torch.float64)))
    assert all(torch.equal(one, other) for one, other in zip(before, network.parameters(), strict=True))
