import pytest
import torch
from torch import Tensor, nn

from flowkit.bijectors.planar import SMALLEST_SLOPE, Planar, over_minus_one
from flowkit.nn.mlp import MLP


def planar(weight: Tensor, direction: Tensor, bias: float = 0.3) -> Planar:
    """A layer of those raw parameters."""
    layer = Planar(len(weight)).double()
    with torch.no_grad():
        layer.source.own.copy_(torch.cat([weight, direction, torch.tensor([bias])]))
    return layer


def vectors(number: int, features: int = 3) -> list[Tensor]:
    torch.manual_seed(0)
    return list(torch.randn(number, features, dtype=torch.float64))


def test_it_is_the_papers_map() -> None:
    w, u, x = vectors(3)
    layer = planar(w, u)
    u_hat = u + (over_minus_one(w @ u) - w @ u) * w / (w @ w)
    z, log_det = layer(x)
    torch.testing.assert_close(z, x + u_hat * torch.tanh(w @ x + 0.3))
    psi = (1 - torch.tanh(w @ x + 0.3) ** 2) * w
    torch.testing.assert_close(log_det, (1 + u_hat @ psi).log())


def test_any_number_becomes_one_over_minus_one() -> None:
    raw = torch.tensor([-1e4, -30.0, -1.0, 0.0, 1.0, 30.0, 1e4], dtype=torch.float64)
    gain = over_minus_one(raw)
    assert (gain >= SMALLEST_SLOPE - 1).all()
    assert (gain[2:].diff() > 0).all()
    assert gain[3].abs() < 1e-15
    # A shift far above 0: the direction is nearly left as it is.
    torch.testing.assert_close(gain[-1] - raw[-1], gain[-2] - raw[-2])


def test_a_new_layer_is_the_identity_and_learns() -> None:
    for layer, context in ((Planar(3), None), (Planar(3, MLP(2, 7)), torch.rand(1, 2))):
        x = torch.randn(5, 3)
        z, log_det = layer(x, context)
        torch.testing.assert_close(z, x)
        torch.testing.assert_close(log_det, torch.zeros(5), atol=1e-7, rtol=0)
        (gradient,) = torch.autograd.grad(z.square().sum(), layer.source.own)
        assert gradient[3:6].abs().min() > 0


# The gain is that of the direction along the weight: at its smallest, the map is nearly flat at the hyperplane; at
# the largest it is 1e4 times steeper there than elsewhere.
@pytest.mark.parametrize("raw_gain", [-1e3, -5.0, -0.5, 0.0, 0.5, 20.0, 1e4], ids=str)
def test_the_inverse_is_exact_however_steep(raw_gain: float) -> None:
    (w,) = vectors(1)
    w = w / w.norm()
    layer = planar(w, raw_gain * w, bias=0.0)
    steps = torch.linspace(-8, 8, 1001, dtype=torch.float64)
    around = torch.cat([steps, 1e-3 * steps, 1e-6 * steps])
    z = around.unsqueeze(-1) * w
    x, log_det = layer.inverse(z)
    again, its_log_det = layer(x)
    # What x is rounded by (1e-16 of it), the steepest slope enlarges, and a hundredfold the smallest one before.
    enlarged = 1e-14 * max(100.0, raw_gain)
    torch.testing.assert_close(again, z, atol=enlarged, rtol=enlarged)
    torch.testing.assert_close(its_log_det, -log_det, atol=1e-10, rtol=1e-10)
    x, _ = layer.inverse(layer(z)[0])
    size = 1 + layer(z)[0].abs().amax(-1, keepdim=True)
    assert ((x - z).abs() / size).max() < 1e-12


def test_derivatives_of_the_inverse_are_right_to_the_second_order() -> None:
    w, u, z = vectors(3)
    layer = planar(w, -2 * u)

    def inverse(z: Tensor, own: Tensor) -> tuple[Tensor, ...]:
        prepared = torch.func.functional_call(Prepared(layer), {"layer.source.own": own}, ())
        return layer._inverse(z, prepared)

    own = layer.source.own.detach().clone().requires_grad_()
    assert torch.autograd.gradcheck(inverse, (z.requires_grad_(), own))
    assert torch.autograd.gradgradcheck(inverse, (z, own))


class Prepared(nn.Module):
    def __init__(self, layer: Planar) -> None:
        super().__init__()
        self.layer = layer

    def forward(self) -> tuple[Tensor, ...]:
        return self.layer.prepare(None)


def test_without_a_weight_it_is_a_translation_with_finite_gradients() -> None:
    _, u, x = vectors(3)
    layer = planar(torch.zeros_like(u), u)
    z, log_det = layer(x)
    torch.testing.assert_close(z, x + u * torch.tanh(torch.tensor(0.3, dtype=torch.float64)), rtol=1e-6, atol=1e-6)
    assert log_det.abs() < 1e-15
    torch.testing.assert_close(layer.inverse(z)[0], x)
    (gradient,) = torch.autograd.grad(z.sum() + layer.inverse(z)[1], layer.source.own)
    assert gradient.isfinite().all()


def test_the_context_moves_the_layers_own_parameters() -> None:
    torch.manual_seed(0)
    network = nn.Linear(2, 7).double()
    layer = Planar(3, network).double()
    x, context = torch.randn(4, 3, dtype=torch.float64), torch.randn(4, 2, dtype=torch.float64)
    z, log_det = layer(x, context)
    for i in range(4):
        w, u, b = (layer.source.own + network(context[i])).detach().split((3, 3, 1))
        alone = planar(w, u, b.item())(x[i])
        torch.testing.assert_close(alone, (z[i], log_det[i]), rtol=1e-6, atol=1e-6)
