import pytest
import torch
from torch import Tensor, nn

from flowkit.nn.context_linear import ContextLinear
from flowkit.nn.made import MADE
from flowkit.nn.mlp import MLP
from flowkit.nn.residual_mlp import ResidualMLP


def test_prepare_and_forward_are_one_linear_layer_over_both() -> None:
    layer = ContextLinear(2, 5, context_features=3)
    x, context = torch.rand(4, 2), torch.rand(4, 3)
    expected = nn.functional.linear(torch.cat([x, context], -1), layer.weight, layer.bias)
    torch.testing.assert_close(layer(x, layer.prepare(context)), expected)


def test_without_context_it_is_a_linear_layer() -> None:
    layer = ContextLinear(2, 5)
    x = torch.rand(4, 2)
    assert layer.prepare(None) is None
    assert torch.equal(layer(x), nn.functional.linear(x, layer.weight, layer.bias))


NETWORKS = {
    "ContextLinear": lambda context: ContextLinear(2, 4, context),
    "MLP": lambda context: MLP(2, 4, context_features=context),
    "ResidualMLP": lambda context: ResidualMLP(2, 4, context_features=context),
    "MADE": lambda context: MADE(2, 2, context_features=context),
}


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(
    ("announced", "context"),
    [(3, None), (0, torch.rand(1, 3)), (3, torch.rand(1, 2))],
    ids=["missing", "unannounced", "other"],
)
def test_another_context_than_announced_is_refused(name: str, announced: int, context: Tensor | None) -> None:
    got = "none" if context is None else r"one of shape \(1, "
    with pytest.raises(ValueError, match=f"context of {announced} features, got {got}"):
        NETWORKS[name](announced).prepare(context)


@pytest.mark.parametrize("name", NETWORKS)
def test_any_batch_shape_and_one_context_for_all(name: str) -> None:
    torch.manual_seed(0)
    network = NETWORKS[name](3).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    x, context = torch.rand(6, 2).double(), torch.rand(1, 3).double()
    expected = network(x, network.prepare(context.expand(6, 3)))
    assert expected.std() > 0
    torch.testing.assert_close(network(x, network.prepare(context)), expected)
    folded = network(x.view(2, 3, 2), network.prepare(context))
    torch.testing.assert_close(folded.flatten(0, 1), expected)
    torch.testing.assert_close(network(x[0], network.prepare(context[0])), expected[0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MLP(0, 3), "the data has 0 features"),
        (lambda: MLP(3, 0), "a layer has 0 features"),
        (lambda: MLP(3, 3, (4, 0)), "a layer has 0 features"),
        (lambda: MLP(3, 3, context_features=-1), "context_features is -1"),
        (lambda: ResidualMLP(3, 0), "the output has 0 features"),
        (lambda: ResidualMLP(3, 3, hidden=0), "the output has 0 features"),
        (lambda: ResidualMLP(3, 3, blocks=-1), "blocks is -1"),
        (lambda: MADE(0, 2), "a MADE has 0 features"),
        (lambda: MADE(3, 0), "a layer has 0 features"),
        (lambda: MADE(3, 2, (0,)), "a layer has 0 features"),
    ],
)
def test_widths_that_are_none_are_refused(make: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()  # type: ignore[operator]
