"""Networks over graphs: what depends on what, and in how many passes they are inverted."""

from typing import Any

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given, settings
from torch import Tensor, nn

from flowkit import MaskedAutoregressive, maf
from flowkit.nn import MaskedMLP, adjacency_in_passes


def dependence(network: MaskedMLP, features: int, context: Tensor | None = None) -> Tensor:
    """Which outputs change with which inputs, all parameters being moved."""
    torch.manual_seed(0)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_()
    prepared = network.prepare(context)
    jacobian = torch.autograd.functional.jacobian(lambda x: network(x, prepared), torch.randn(features))
    assert isinstance(jacobian, Tensor)
    return (jacobian != 0).unflatten(0, (features, -1)).any(1)


@st.composite
def graphs(draw: Any) -> list[list[bool]]:
    features = draw(st.integers(2, 5))
    order = draw(st.permutations(range(features)))
    return [[draw(st.booleans()) and order[i] > order[j] for j in range(features)] for i in range(features)]


@settings(max_examples=8, deadline=None)
@given(graphs())
def test_outputs_depend_on_the_parents_and_on_nothing_else(graph: list[list[bool]]) -> None:
    # As many units as there may be kinds of them, several times, and activations whose slope is nowhere 0.
    network = MaskedMLP(graph, 2, hidden=(24, 24), activation=nn.Tanh)
    assert torch.equal(dependence(network, len(graph)), torch.tensor(graph))


@pytest.mark.parametrize(
    ("graph", "passes"),
    [
        ([[0, 0, 0], [0, 0, 0], [0, 0, 0]], 1),
        ([[1, 0, 0], [1, 1, 0], [1, 0, 1]], 2),
        ([[0, 1, 0], [0, 0, 1], [0, 0, 0]], 3),
        (adjacency_in_passes(6, 2), 2),
        (adjacency_in_passes(6, 4), 3),
        (adjacency_in_passes(6, 6), 6),
    ],
)
def test_as_many_passes_as_the_longest_path_has_features(graph: Any, passes: int) -> None:
    network = MaskedMLP(graph, 2, hidden=(16,))
    assert network.passes == passes
    features = network.features
    layer = MaskedAutoregressive(features, network).double()
    calls = []
    network.register_forward_hook(lambda *_: calls.append(1))
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.normal_(std=0.5)
    x = torch.randn(5, features, dtype=torch.float64)
    z, _ = layer(x)
    calls.clear()
    torch.testing.assert_close(layer.inverse(z)[0], x)
    assert len(calls) == passes


def test_zuko_agrees_on_the_passes() -> None:
    import zuko

    for features, passes in ((5, 2), (7, 3), (4, 4)):
        theirs = zuko.flows.MaskedAutoregressiveTransform(features, passes=passes, hidden_features=(64,))
        mask = theirs.hyper[0].mask
        assert theirs.passes == passes
        ours = adjacency_in_passes(features, passes)
        # Their first layer has units for each group of features; which inputs any unit sees is the union.
        assert torch.equal(ours.any(0), mask.any(0))


def test_columns_for_the_context_say_what_depends_on_it() -> None:
    graph = [[0, 0, 1, 0], [1, 0, 0, 0]]
    network = MaskedMLP(graph, 1, hidden=(16,), context_features=2, activation=nn.Tanh)
    dependence(network, 2, torch.randn(2))
    x = torch.randn(2)
    jacobian = torch.func.jacrev(lambda c: network(x, network.prepare(c)))(torch.randn(2))
    assert (jacobian != 0).tolist() == [[True, False], [False, False]]


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        ([[0, 1], [1, 0]], r"has a cycle among the features \[0, 1\]"),
        ([[0, 1, 0]], r"shape \(1, 3\); it must be features x features"),
    ],
)
def test_what_is_no_graph_is_refused(graph: list[list[int]], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        MaskedMLP(graph, 2)


def test_invalid_passes_are_refused() -> None:
    with pytest.raises(ValueError, match="passes 0; both must be at least 1"):
        adjacency_in_passes(3, 0)
    with pytest.raises(ValueError, match="must name each of the features 0 to 2 once"):
        adjacency_in_passes(3, 2, order=[0, 0, 1])
    assert torch.equal(adjacency_in_passes(3, 3, order=[2, 1, 0]), torch.ones(3, 3).triu(1).bool())


def test_the_graph_of_a_maf_holds_for_the_whole_flow() -> None:
    torch.manual_seed(0)
    flow = maf(3, layers=3, hidden=(16,), adjacency=[[0, 0, 0], [1, 0, 0], [1, 0, 0]])
    with torch.no_grad():
        for parameter in flow.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    jacobian = torch.func.jacrev(lambda x: flow.bijector(x)[0])(torch.randn(3))
    assert (jacobian != 0).tolist() == [[True, False, False], [True, True, False], [True, False, True]]
    with pytest.raises(ValueError, match="adjacency has 2 rows; the layers see 3 features"):
        maf(3, adjacency=[[0, 0], [1, 0]])
    with pytest.raises(ValueError, match="give one of them"):
        maf(3, passes=2, adjacency=[[0, 0, 0]] * 3)
