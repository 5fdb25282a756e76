import torch
from torch import Tensor

from flowkit.bijectors.linear import Linear


def test_it_is_torchs_linear_layer_without_a_bias() -> None:
    torch.manual_seed(0)
    layer = Linear(4)
    assert set(layer.state_dict()) == {"weight"}
    x = torch.randn(5, 4)
    torch.testing.assert_close(layer(x)[0], torch.nn.functional.linear(x, layer.weight))


def test_the_inverse_solves_instead_of_inverting() -> None:
    # A matrix of condition number 1e8. Solving leaves a residual of rounding, 1e-16; the product with the inverse
    # matrix, itself rounded at 1e-16 of entries of 1e8, leaves 1e-8.
    torch.manual_seed(0)
    layer = Linear(6).double()
    scales = torch.logspace(0, -8, 6, dtype=torch.float64)
    with torch.no_grad():
        layer.weight.copy_(layer.weight @ torch.diag(scales) @ torch.linalg.qr(torch.randn_like(layer.weight))[0])
    z, _ = layer(torch.randn(100, 6, dtype=torch.float64))

    def residual(x: Tensor) -> float:
        return float((layer(x)[0] - z).detach().abs().max())

    assert residual(layer.inverse(z)[0]) < 1e-14
    assert residual(z @ torch.linalg.inv(layer.weight).mT) > 1e-11
