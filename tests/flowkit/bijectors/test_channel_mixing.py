import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from flowkit.bijectors.channel_mixing import random_orthogonal
from flowkit.bijectors.householder import Householder
from flowkit.bijectors.linear import Linear
from flowkit.bijectors.lu import LULinear
from flowkit.bijectors.orthogonal import Orthogonal
from flowkit.bijectors.qr import QRLinear
from flowkit.bijectors.rotation import Rotation
from flowkit.bijectors.woodbury import Woodbury

FAMILY: dict[str, Callable[..., Any]] = {
    "Linear": Linear,
    "LULinear": LULinear,
    "QRLinear": lambda channels, event_dims=1: QRLinear(channels, event_dims=event_dims),
    "Householder": lambda channels, event_dims=1: Householder(channels, event_dims=event_dims),
    "Orthogonal": Orthogonal,
    "Rotation": Rotation,
    "Woodbury": lambda channels, event_dims=1: Woodbury(channels, 2, event_dims),
}
ANY = pytest.mark.parametrize("name", FAMILY)


def moved(name: str, channels: int, event_dims: int) -> Any:
    torch.manual_seed(channels)
    layer = FAMILY[name](channels, event_dims=event_dims).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return layer


@ANY
@pytest.mark.parametrize(
    ("shape", "event_dims", "equation"),
    [
        ((4,), 1, "ij,...j->...i"),
        ((6, 4), 1, "ij,...j->...i"),
        ((2, 3, 4), 1, "ij,...j->...i"),
        ((2, 4, 5), 2, "ij,...jn->...in"),
        ((4, 3, 5), 3, "ij,...jhw->...ihw"),
        ((2, 4, 3, 5), 3, "ij,...jhw->...ihw"),
        ((2, 3, 4, 3, 5), 3, "ij,...jhw->...ihw"),
        ((0, 4), 1, "ij,...j->...i"),
        ((0, 4, 3, 5), 3, "ij,...jhw->...ihw"),
    ],
)
def test_it_is_the_weight_times_the_channels(name: str, shape: tuple[int, ...], event_dims: int, equation: str) -> None:
    layer = moved(name, 4, event_dims)
    x = torch.randn(shape, dtype=torch.float64)
    z, log_det = layer(x)
    torch.testing.assert_close(z, torch.einsum(equation, layer.weight, x))
    back, log_back = layer.inverse(z)
    torch.testing.assert_close(back, x)
    batch, positions = shape[: len(shape) - event_dims], math.prod(shape[len(shape) - event_dims + 1 :])
    expected = positions * torch.linalg.slogdet(layer.weight).logabsdet
    torch.testing.assert_close(log_det, expected.expand(batch))
    torch.testing.assert_close(log_back, -log_det)


@pytest.mark.parametrize("channels", [2, 49])
@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 5), (2, 3, 3, 5), (0, 3, 5)])
def test_images_of_any_batch_shape_are_multiplied_by_the_matrix(channels: int, shape: tuple[int, ...]) -> None:
    layer = moved("Linear", channels, 3)
    x = torch.randn(*shape[:-2], channels, *shape[-2:], dtype=torch.float64)
    torch.testing.assert_close(layer(x)[0], torch.einsum("ij,...jhw->...ihw", layer.weight, x))


@ANY
@pytest.mark.parametrize("event_dims", [1, 3])
def test_it_stays_out_of_autocast_and_of_half_precision(name: str, event_dims: int) -> None:
    torch.manual_seed(0)
    layer = FAMILY[name](4, event_dims=event_dims)
    x = torch.randn((2, 4, 3, 5)[: event_dims + 1])
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = *layer(x), *layer.inverse(x)
    for got, expected in zip(inside, (*layer(x), *layer.inverse(x)), strict=True):
        assert torch.equal(got, expected)
    half = x.bfloat16()
    for direction in (layer.forward, layer.inverse):
        z, log_det = direction(half)
        assert z.dtype == log_det.dtype == torch.float32
        assert torch.equal(z, direction(half.float())[0])


@ANY
def test_one_channel_is_enough(name: str) -> None:
    layer = Woodbury(1, 1) if name == "Woodbury" else FAMILY[name](1)
    x = torch.randn(3, 1)
    z, log_det = layer(x)
    torch.testing.assert_close(z, layer.weight * x)
    torch.testing.assert_close(layer.inverse(z)[0], x)
    torch.testing.assert_close(log_det, layer.weight.abs().log()[0].expand(3))


@ANY
def test_no_channels_are_refused(name: str) -> None:
    with pytest.raises(ValueError, match="channels is 0; it must be at least 1"):
        FAMILY[name](0)


@pytest.mark.parametrize("name", ["LULinear", "QRLinear", "Householder", "Orthogonal", "Rotation", "Woodbury"])
@pytest.mark.parametrize("deviation", [1.0, 3.0])
def test_no_parameters_make_it_singular(name: str, deviation: float) -> None:
    torch.manual_seed(1)
    for _ in range(20):
        layer = FAMILY[name](5).double()
        with torch.no_grad():
            for parameter in layer.parameters():
                parameter.copy_(deviation * torch.randn_like(parameter))
        x = torch.randn(4, 5, dtype=torch.float64)
        z, log_det = layer(x)
        assert log_det.isfinite().all()
        torch.testing.assert_close(log_det[0], torch.linalg.slogdet(layer.weight).logabsdet)
        # Triangular matrices of such entries have condition numbers up to some 1e11, which multiplies 1e-16.
        torch.testing.assert_close(layer.inverse(z)[0], x, rtol=0, atol=1e-4)


@pytest.mark.parametrize("name", ["Householder", "Orthogonal", "Rotation"])
@pytest.mark.parametrize(("channels", "dtype"), [(7, torch.float64), (192, torch.float32), (192, torch.float64)])
def test_orthogonal_to_rounding(name: str, channels: int, dtype: torch.dtype) -> None:
    torch.manual_seed(2)
    layer = FAMILY[name](channels).to(dtype)
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.2 / channels**0.5 * torch.randn_like(parameter))
    weight = layer.weight
    # Sums of 192 products, a few in a row; the matrix exponential squares some ten times.
    tolerance = 500 * torch.finfo(dtype).eps
    torch.testing.assert_close(weight @ weight.mT, torch.eye(channels, dtype=dtype), rtol=0, atol=tolerance)
    assert torch.equal(layer(torch.randn(2, channels, dtype=dtype))[1], torch.zeros(2, dtype=dtype))


@ANY
@pytest.mark.parametrize("event_dims", [1, 3])
def test_it_starts_well_conditioned(name: str, event_dims: int) -> None:
    torch.manual_seed(3)
    for channels in (2, 5, 48):
        layer = FAMILY[name](channels, event_dims=event_dims)
        condition = torch.linalg.cond(layer.weight.detach().double())
        assert condition < (3 if name == "Woodbury" else 1.001)


def test_a_random_orthogonal_matrix_is_another_each_time() -> None:
    first, second = random_orthogonal(4), random_orthogonal(4)
    assert not torch.allclose(first, second)
    torch.testing.assert_close(first @ first.mT, torch.eye(4), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["Linear", "QRLinear", "Woodbury"])
def test_gradients_of_the_inverse_reach_the_parameters(name: str) -> None:
    layer = moved(name, 3, 3)
    z = torch.randn(2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    names = [key for key, _ in layer.named_parameters()]
    values = tuple(p.detach().clone().requires_grad_() for p in layer.parameters())

    class Turned(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = layer

        def forward(self, z: Tensor) -> Any:
            return self.layer.inverse(z)

    def function(z: Tensor, *parameters: Tensor) -> Any:
        swapped = {f"layer.{key}": value for key, value in zip(names, parameters, strict=True)}
        return torch.func.functional_call(Turned(), swapped, (z,))

    assert torch.autograd.gradcheck(function, (z, *values))
