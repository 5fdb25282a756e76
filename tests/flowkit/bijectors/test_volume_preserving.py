import torch
from torch import nn

from flowkit import Chain, Reversal, initialize
from flowkit.bijectors import VolumePreservingCoupling
from flowkit.nn import ConvConditioner
from flowkit.testing.subject import perturb

DTYPE = torch.float64


def test_volumes_are_kept_whatever_the_data_though_lengths_are_not() -> None:
    torch.manual_seed(0)
    layers = [VolumePreservingCoupling(5, nn.Linear(2, 6), event_dims=1) for _ in range(3)]
    flow = Chain([layers[0], Reversal(5), layers[1], Reversal(5), layers[2]]).double()
    x = torch.randn(20, 5, dtype=DTYPE)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda value: flow(value)[0]))(x)
    torch.testing.assert_close(torch.linalg.det(jacobian).abs(), torch.ones(20, dtype=DTYPE))
    torch.testing.assert_close(flow(x)[1], torch.zeros(20, dtype=DTYPE), rtol=0, atol=1e-12)
    assert (torch.linalg.svdvals(jacobian)[:, 0] > 1.01).all()


def test_over_an_image_all_positions_balance_each_other() -> None:
    layer = VolumePreservingCoupling(3, ConvConditioner(1, 4, 6)).double()
    x = torch.randn(2, 3, 4, 5, dtype=DTYPE)
    initialize(layer, x)
    perturb(layer, 0.5)
    z, log_det = layer(x)
    torch.testing.assert_close(log_det, torch.zeros(2, dtype=DTYPE), rtol=0, atol=1e-12)
    torch.testing.assert_close(layer.inverse(z)[0], x)
