import pytest
import torch
from torch import Tensor

from flowkit.bijectors.radial import Radial
from flowkit.nn.mlp import MLP


def radial(centre: Tensor, raw_alpha: float, raw_beta: float) -> Radial:
    """A layer of those raw parameters."""
    layer = Radial(len(centre)).double()
    with torch.no_grad():
        layer.source.own.copy_(torch.cat([centre, torch.tensor([raw_alpha, raw_beta])]))
    return layer


CENTRE = torch.tensor([0.5, -1.0, 2.0], dtype=torch.float64)
# About the smallest and a large ball; nearly shrunk to a point, and stretched.
ALPHAS, BETAS = (-1e3, 0.0, 50.0), (-30.0, -1.0, 0.0, 2.0, 1e5)


@pytest.mark.parametrize("raw_alpha", ALPHAS)
@pytest.mark.parametrize("raw_beta", BETAS)
def test_it_is_the_papers_map_whatever_the_parameters(raw_alpha: float, raw_beta: float) -> None:
    layer = radial(CENTRE, raw_alpha, raw_beta)
    centre, alpha, beta = layer.prepare(None)
    assert alpha > 0
    assert beta > -alpha
    torch.manual_seed(0)
    x = CENTRE + torch.randn(100, 3, dtype=torch.float64) * torch.logspace(-6, 3, 100, dtype=torch.float64)[:, None]
    r = (x - centre).norm(dim=-1)
    h = 1 / (alpha + r)
    z, log_det = layer(x)
    torch.testing.assert_close(z, x + (beta * h).unsqueeze(-1) * (x - centre))
    of_paper = 2 * (1 + beta * h).log() + (1 + beta * h - beta * h**2 * r).log()
    torch.testing.assert_close(log_det, of_paper, rtol=1e-9, atol=1e-9)
    # The rounding of z, of the size of the centre at least, is enlarged by 1 / the smallest slope, a hundredfold.
    back, its_log_det = layer.inverse(z)
    assert ((back - x).abs() / (1 + x.abs())).max() < 1e-12
    torch.testing.assert_close(its_log_det, -log_det, rtol=1e-7, atol=1e-7)


def test_a_new_layer_is_the_identity_and_learns() -> None:
    for layer, context in ((Radial(3), None), (Radial(3, MLP(2, 5)), torch.rand(1, 2))):
        x = torch.randn(5, 3)
        z, log_det = layer(x, context)
        torch.testing.assert_close(z, x)
        torch.testing.assert_close(log_det, torch.zeros(5), atol=1e-6, rtol=0)
        (gradient,) = torch.autograd.grad(z.square().sum(), layer.source.own)
        assert gradient[-1] != 0


@pytest.mark.parametrize("raw_alpha", ALPHAS)
@pytest.mark.parametrize("raw_beta", BETAS)
def test_gradients_at_the_centre_are_finite_and_those_of_a_scaling(raw_alpha: float, raw_beta: float) -> None:
    layer = radial(CENTRE, raw_alpha, raw_beta)
    _, alpha, beta = layer.prepare(None)
    slope = (1 + beta / alpha).detach()
    for direction, expected in ((layer, slope), (layer.inverse, 1 / slope)):
        at_centre, log_det = direction(CENTRE)
        torch.testing.assert_close(at_centre, CENTRE)
        torch.testing.assert_close(log_det, 3 * expected.log())
        jacobian = torch.func.jacrev(lambda x: direction(x)[0])(CENTRE)  # noqa: B023
        torch.testing.assert_close(jacobian, expected * torch.eye(3, dtype=torch.float64))
        x = CENTRE.clone().requires_grad_()
        result, log_det = direction(x)
        gradients = torch.autograd.grad(result.sum() + log_det, [x, layer.source.own], create_graph=True)
        assert all(gradient.isfinite().all() for gradient in gradients)
        second = torch.autograd.grad(gradients[0].sum() + gradients[1].sum(), [x, layer.source.own])
        assert all(gradient.isfinite().all() for gradient in second)


def test_on_the_line_it_keeps_the_log_det_of_the_stretch_alone() -> None:
    layer = radial(CENTRE[:1], 0.0, 1.5)
    x = torch.tensor([1.7], dtype=torch.float64)
    z, log_det = layer(x)
    slope = torch.func.jacrev(lambda x: layer(x)[0])(x)
    torch.testing.assert_close(log_det, slope.squeeze().log())
    torch.testing.assert_close(layer.inverse(z)[0], x)
