"""Invertible convolutions of more than one position: periodic, autoregressive, emerging."""

import pytest
import torch
import torch.nn.functional as F

from flowkit.bijectors import AutoregressiveConv2d, EmergingConv2d, PeriodicConv2d
from flowkit.testing.subject import perturb

DTYPE = torch.float64


@pytest.mark.parametrize(("size", "shape"), [(3, (2, 3, 4, 5)), (5, (1, 2, 6, 3))])
def test_the_periodic_convolution_is_torch_s_with_circular_padding(size: int, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    layer = PeriodicConv2d(shape[1], size).double()
    perturb(layer, 0.5)
    x, margin = torch.randn(shape, dtype=DTYPE), size // 2
    expected = F.conv2d(F.pad(x, (margin, margin, margin, margin), mode="circular"), layer.weight)
    torch.testing.assert_close(layer(x)[0], expected)


def test_of_no_images_there_are_none() -> None:
    layer = PeriodicConv2d(2)
    for direction in (layer, layer.inverse):
        z, log_det = direction(torch.zeros(0, 2, 4, 4))
        assert (z.shape, log_det.shape) == ((0, 2, 4, 4), (0,))


def test_a_kernel_may_be_larger_than_the_image() -> None:
    layer = PeriodicConv2d(2, 5).double()
    perturb(layer, 0.5)
    x = torch.randn(3, 2, 1, 2, dtype=DTYPE)
    z, log_det = layer(x)
    matrix = torch.func.jacrev(lambda row: layer(row.view(2, 1, 2))[0].flatten())(x[0].flatten())
    torch.testing.assert_close(z[0].flatten(), matrix @ x[0].flatten())
    torch.testing.assert_close(log_det[0], torch.linalg.slogdet(matrix).logabsdet)


@pytest.mark.parametrize("reverse", [False, True])
def test_the_autoregressive_convolution_sees_what_is_before_in_the_order_of_reading(reverse: bool) -> None:
    torch.manual_seed(0)
    layer = AutoregressiveConv2d(2, reverse=reverse).double()
    perturb(layer, 1.0)

    def in_order(row: torch.Tensor) -> torch.Tensor:
        z, _ = layer(row.view(3, 4, 2).movedim(-1, 0))
        return z.movedim(0, -1).flatten()

    matrix = torch.func.jacrev(in_order)(torch.zeros(24, dtype=DTYPE))
    assert torch.equal(matrix, matrix.triu() if reverse else matrix.tril())
    # It sees a neighbour to the side, above and across, and another channel of its own position.
    first = matrix.flip(0, 1) if reverse else matrix
    assert (first[10, [0, 2, 4, 8]] != 0).all()
    assert first[11, 10] != 0


def test_two_orders_together_see_all_around() -> None:
    torch.manual_seed(0)
    layer = EmergingConv2d(1).double()
    perturb(layer, 1.0)
    gradient = torch.func.jacrev(lambda x: layer(x)[0][0, 2, 2])(torch.zeros(1, 5, 5, dtype=DTYPE))
    assert (gradient[0, 1:4, 1:4] != 0).all()


def test_kernels_without_a_centre_are_refused() -> None:
    for layer in (PeriodicConv2d, AutoregressiveConv2d):
        with pytest.raises(ValueError, match="kernel_size is 4"):
            layer(3, 4)
