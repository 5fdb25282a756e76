import pytest
import torch

from flowkit import Additive, Affine
from flowkit.bijectors.elementwise import Elementwise
from flowkit.transforms.exp import Exp
from flowkit.transforms.rational_quadratic import RationalQuadraticSpline


def test_each_element_has_its_own_parameters() -> None:
    layer = Elementwise(Affine(), (3,)).double()
    torch.nn.init.normal_(layer.raw)
    x = torch.randn(5, 3, dtype=torch.float64)
    shift, log_scale = layer.raw[:, 0], 2 * torch.tanh(layer.raw[:, 1] / 2)
    z, log_det = layer(x)
    torch.testing.assert_close(z, (x + shift) * log_scale.exp())
    torch.testing.assert_close(log_det, log_scale.sum().expand(5))
    assert torch.equal(layer.inverse(z)[1], -log_det)


def test_parameters_of_channels_count_at_every_position() -> None:
    layer = Elementwise(Affine(), (3, 1, 1), event_dims=3)
    torch.nn.init.normal_(layer.raw)
    x = torch.randn(2, 3, 4, 5)
    log_scale = 2 * torch.tanh(layer.raw[:, 0, 0, 1] / 2)
    torch.testing.assert_close(layer(x)[1], 20 * log_scale.sum().expand(2))


def test_one_set_of_parameters_serves_all_elements() -> None:
    layer = Elementwise(Additive(), event_dims=3)
    with torch.no_grad():
        layer.raw.fill_(2.0)
    x = torch.randn(2, 3, 4, 5)
    assert torch.equal(layer(x)[0], x + 2)


def test_it_starts_as_the_identity() -> None:
    x = torch.randn(7, 3, dtype=torch.float64)
    for transform in (Affine(), Additive(), RationalQuadraticSpline()):
        z, log_det = Elementwise(transform, (3,)).double()(x)
        # The spline's knots are rounded at 1e-16.
        torch.testing.assert_close(z, x, rtol=0, atol=1e-14)
        torch.testing.assert_close(log_det, torch.zeros(7).double(), rtol=0, atol=1e-14)


def test_a_transform_without_parameters_gets_none() -> None:
    layer = Elementwise(Exp())
    assert layer.raw is None
    assert not layer.state_dict()
    x = torch.randn(2, 3)
    z, log_det = layer(x)
    assert torch.equal(z, x.exp())
    torch.testing.assert_close(log_det, x.sum(-1))


def test_values_outside_the_transforms_interval_are_refused() -> None:
    with pytest.raises(ValueError, match="Elementwise takes values in the open interval"):
        Elementwise(Exp()).inverse(torch.tensor([1.0, -1.0]))
    with pytest.raises(ValueError, match="Elementwise takes values in the open interval"):
        Elementwise(Exp())(torch.tensor([1.0, 100.0]))


@pytest.mark.parametrize(("shape", "event"), [((3,), (4,)), ((3, 1, 1), (1, 4, 4)), ((3, 4), (3, 5))])
def test_parameters_that_do_not_broadcast_are_refused(shape: tuple[int, ...], event: tuple[int, ...]) -> None:
    layer = Elementwise(Affine(), shape, event_dims=len(event))
    for call in (layer, layer.inverse):
        with pytest.raises(ValueError, match="Elementwise has parameters of shape"):
            call(torch.rand(2, *event))


def test_more_parameter_than_event_dimensions_are_refused() -> None:
    with pytest.raises(ValueError, match=r"shape \(3, 1, 1\) have more dimensions than events of 1"):
        Elementwise(Affine(), (3, 1, 1))
