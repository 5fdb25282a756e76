import pytest
import torch
from torch import nn

from flowkit import Additive, Injector


def test_the_context_alone_sets_the_parameters() -> None:
    torch.manual_seed(0)
    network = nn.Linear(2, 6).double()
    layer = Injector(3, network, event_dims=1)
    x, context = torch.rand(4, 3, dtype=torch.float64), torch.rand(4, 2, dtype=torch.float64)
    raw = network(context)
    log_scale = 2 * torch.tanh(raw[:, 1::2] / 2)
    z, log_det = layer(x, context)
    torch.testing.assert_close(z, (x + raw[:, 0::2]) * log_scale.exp())
    torch.testing.assert_close(log_det, log_scale.sum(1))
    assert torch.equal(log_det, layer(x + 1, context)[1])


def test_an_additive_injector_keeps_volume() -> None:
    layer = Injector(3, nn.Linear(2, 3), Additive(), event_dims=1)
    z, log_det = layer(torch.zeros(4, 3), torch.ones(1, 2))
    assert torch.equal(log_det, torch.zeros(4))
    assert torch.equal(z[0], z[3])


def test_more_contexts_than_samples_are_refused() -> None:
    # The result would have to grow samples that are not in the input.
    layer = Injector(3, nn.Linear(2, 6), event_dims=1)
    for call in (layer, layer.inverse):
        with pytest.raises(ValueError, match=r"1 rows of data and a context of shape \(4, 2\) do not fit"):
            call(torch.zeros(1, 3), torch.ones(4, 2))
