import torch
import torch.nn.functional as F

from flowkit.nn.residual_mlp import ResidualMLP


def test_blocks_add_to_what_comes_in() -> None:
    torch.manual_seed(0)
    network = ResidualMLP(2, 3, hidden=5, blocks=2, context_features=1)
    torch.nn.init.normal_(network.last.weight)
    x, context = torch.rand(6, 2), torch.rand(6, 1)
    h = F.linear(torch.cat([x, context], -1), network.first.weight, network.first.bias)
    for block in network.blocks:
        h = h + block.outer(block.inner(h.relu()).relu())
    torch.testing.assert_close(network(x, network.prepare(context)), network.last(h.relu()))


def test_a_new_network_gives_zeros() -> None:
    for blocks in (0, 2):
        assert torch.equal(ResidualMLP(2, 3, blocks=blocks)(torch.rand(6, 2)), torch.zeros(6, 3))
