"""Convolutions of bounded norm: the bound holds for images of any size, and is near."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.nn import LipschitzConv2d, LipschitzConvNet
from flowkit.nn.lipschitz_conv import conv_norm_bound
from flowkit.testing.subject import perturb

DTYPE = torch.float64


def norm(weight: Tensor, size: int) -> float:
    """The spectral norm of the convolution of images of one size, zero outside."""
    channels = weight.shape[1]
    images = torch.eye(channels * size * size, dtype=DTYPE).view(-1, channels, size, size)
    return float(torch.linalg.matrix_norm(F.conv2d(images, weight, padding=weight.shape[-1] // 2).flatten(1), 2))


@pytest.mark.parametrize("kernel_size", [1, 3, 5])
@pytest.mark.parametrize("smooth", [False, True])
def test_the_bound_holds_and_is_near(kernel_size: int, smooth: bool) -> None:
    torch.manual_seed(kernel_size)
    weight = torch.randn(3, 2, kernel_size, kernel_size, dtype=DTYPE)
    # What blurs has its norm at one frequency, which is a point of the grid.
    weight = weight.abs() if smooth else weight
    bound = float(conv_norm_bound(weight))
    assert max(norm(weight, size) for size in (1, 4)) <= bound * (1 + 1e-12)
    # Of images that are large against the kernel the norm comes near that over all frequencies.
    assert bound < 1.35 * norm(weight, 12)


def test_a_layer_keeps_to_its_coefficient_and_to_a_weight_that_is_small() -> None:
    torch.manual_seed(0)
    layer = LipschitzConv2d(2, 3, coefficient=0.5).double()
    layer.weight.data *= 100
    assert norm(layer.bounded_weight().detach(), 8) <= 0.5
    layer.weight.data /= 1e5
    assert torch.equal(layer.bounded_weight(), layer.weight)


def test_the_network_is_a_contraction_whatever_its_parameters() -> None:
    torch.manual_seed(0)
    network = LipschitzConvNet(2, (5, 4), coefficient=0.9).double()
    perturb(network, 3.0)
    x = torch.randn(4, 2, 3, 4, dtype=DTYPE)
    matrices = torch.func.vmap(torch.func.jacrev(lambda image: network(image).flatten()))(x).flatten(2)
    norms = torch.linalg.matrix_norm(matrices, 2)
    assert (norms <= 0.9).all()
    assert (norms > 0.01).all()


def test_what_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="kernel_size is 2"):
        LipschitzConv2d(2, 2, 2)
    with pytest.raises(ValueError, match="coefficient is 0"):
        LipschitzConv2d(2, 2, coefficient=0)
    with pytest.raises(ValueError, match="hidden is empty"):
        LipschitzConvNet(2, ())
    with pytest.raises(ValueError, match=r"coefficient is 1\.0"):
        LipschitzConvNet(2, coefficient=1.0)
    with pytest.raises(ValueError, match="takes 2 channels, got an input of shape"):
        LipschitzConvNet(2, (4,))(torch.rand(1, 3, 4, 4))
    with pytest.raises(ValueError, match="takes a context of 0 channels, got one of shape"):
        LipschitzConvNet(2, (4,)).prepare(torch.rand(1, 3, 4, 4))
