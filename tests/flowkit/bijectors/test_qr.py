import pytest
import torch

from flowkit.bijectors.householder import householder_product
from flowkit.bijectors.qr import QRLinear


def moved(channels: int, reflections: int | None = None) -> QRLinear:
    torch.manual_seed(0)
    layer = QRLinear(channels, reflections).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return layer


def test_the_weight_is_the_product_of_its_factors() -> None:
    layer = moved(5, 3)
    R = layer.upper.triu(1) + torch.diag(layer.log_scale.exp())
    torch.testing.assert_close(layer.weight, householder_product(layer.vectors) @ R)
    x = torch.randn(7, 5, dtype=torch.float64)
    z, log_det = layer(x)
    torch.testing.assert_close(z, x @ layer.weight.mT)
    torch.testing.assert_close(log_det, layer.log_scale.sum().expand(7))


def test_torch_finds_the_same_factors() -> None:
    layer = moved(4)
    Q, R = torch.linalg.qr(layer.weight)
    signs = R.diagonal().sign()
    torch.testing.assert_close(signs[:, None] * R, layer.upper.triu(1) + torch.diag(layer.log_scale.exp()))
    torch.testing.assert_close(Q * signs, householder_product(layer.vectors))


def test_only_the_strict_triangle_counts() -> None:
    layer = moved(4)
    before = layer.weight
    with torch.no_grad():
        layer.upper.add_(torch.ones(4, 4, dtype=torch.float64).tril())
    assert torch.equal(layer.weight, before)


def test_no_reflections_are_refused() -> None:
    with pytest.raises(ValueError, match="reflections is 0"):
        QRLinear(3, 0)
