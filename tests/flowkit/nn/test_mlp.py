import torch
from torch import nn

from flowkit.nn.mlp import MLP


def test_it_is_layers_with_activations_between() -> None:
    torch.manual_seed(0)
    network = MLP(2, 3, (5, 4), context_features=2, activation=nn.Tanh)
    nn.init.normal_(network.rest[-1].weight)
    layers = [network.first, *(part for part in network.rest if isinstance(part, nn.Linear))]
    assert [layer.out_features for layer in layers] == [5, 4, 3]
    x, context = torch.rand(6, 2), torch.rand(6, 2)
    h = torch.cat([x, context], -1)
    for layer in layers[:-1]:
        h = torch.tanh(nn.functional.linear(h, layer.weight, layer.bias))
    expected = nn.functional.linear(h, layers[-1].weight, layers[-1].bias)
    torch.testing.assert_close(network(x, network.prepare(context)), expected)


def test_a_new_network_gives_zeros_and_learns() -> None:
    for hidden in ((5, 4), ()):
        network = MLP(2, 3, hidden, activation=nn.Tanh)
        y = network(torch.rand(6, 2))
        assert torch.equal(y, torch.zeros(6, 3))
        gradients = torch.autograd.grad(y.sum(), list(network.parameters()))
        assert gradients[-2].count_nonzero() > 0


def test_without_hidden_layers_it_is_linear() -> None:
    network = MLP(2, 3, (), context_features=1)
    nn.init.normal_(network.first.weight)
    x, context = torch.rand(6, 2), torch.rand(6, 1)
    expected = nn.functional.linear(torch.cat([x, context], -1), network.first.weight, network.first.bias)
    torch.testing.assert_close(network(x, network.prepare(context)), expected)
