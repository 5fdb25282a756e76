from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from flowkit import Additive
from flowkit.bijectors.autoregressive import InverseAutoregressive, MaskedAutoregressive
from flowkit.nn.made import MADE
from flowkit.testing.catalogue.autoregressive import StrictlyLowerLinear
from flowkit.transforms.rational_quadratic import RationalQuadraticSpline
from flowkit.transforms.sigmoid import Sigmoid

ORDER = [2, 0, 3, 1]
FEATURES = len(ORDER)


class Counted(nn.Module):
    """A MADE without its ``unroll``, which counts its passes."""

    def __init__(self, made: MADE) -> None:
        super().__init__()
        self.made = made
        self.passes = 0

    def prepare(self, context: Tensor | None) -> Tensor | None:
        return self.made.prepare(context)

    def forward(self, x: Tensor, prepared: Tensor | None = None) -> Tensor:
        self.passes += 1
        return self.made(x, prepared)


def made(parameters: int = 2, context: int = 0, order: list[int] | None = ORDER) -> MADE:
    torch.manual_seed(0)
    network = MADE(FEATURES, parameters, (9, 7), context, nn.Tanh, order).double()
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    return network


def test_each_feature_depends_on_those_before_it_in_the_order() -> None:
    layer = MaskedAutoregressive(FEATURES, made())
    x = torch.randn(FEATURES, dtype=torch.float64)
    jacobian = torch.func.jacrev(lambda x: layer(x)[0])(x)[ORDER][:, ORDER]
    assert (jacobian.tril() == jacobian).all()
    assert (jacobian != 0).sum() == FEATURES * (FEATURES + 1) // 2
    torch.testing.assert_close(layer(x)[1], jacobian.diagonal().log().sum())


def test_one_pass_forward_and_as_many_as_features_back_for_any_network() -> None:
    network = Counted(made(context=2))
    layer = MaskedAutoregressive(FEATURES, network)
    x, context = torch.randn(5, FEATURES, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)
    z, log_det = layer(x, context)
    assert network.passes == 1
    back, its_log_det = layer.inverse(z, context)
    assert network.passes == 1 + FEATURES
    torch.testing.assert_close(back, x)
    torch.testing.assert_close(its_log_det, -log_det)


@pytest.mark.parametrize("transform", [None, Additive(), RationalQuadraticSpline(4)], ids=lambda t: type(t).__name__)
@pytest.mark.parametrize("context_features", [0, 2])
def test_unrolling_gives_what_the_passes_give(transform: object, context_features: int) -> None:
    parameters = getattr(transform, "parameters_per_element", 2)
    network = made(parameters, context_features)
    unrolled = MaskedAutoregressive(FEATURES, network, transform)  # type: ignore[arg-type]
    passes = MaskedAutoregressive(FEATURES, Counted(network), transform)  # type: ignore[arg-type]
    z = torch.randn(5, FEATURES, dtype=torch.float64)
    context = torch.randn(1, 2, dtype=torch.float64) if context_features else None
    torch.testing.assert_close(unrolled.inverse(z, context), passes.inverse(z, context))


def test_gradients_of_the_inverse_are_exact_either_way() -> None:
    network = made()
    z = torch.randn(FEATURES, dtype=torch.float64)
    for conditioner in (network, Counted(network)):
        layer = MaskedAutoregressive(FEATURES, conditioner)
        forward = torch.func.jacrev(lambda x: layer(x)[0])(layer.inverse(z)[0])  # noqa: B023
        backward = torch.func.jacrev(lambda z: layer.inverse(z)[0])(z)  # noqa: B023
        torch.testing.assert_close(backward, torch.linalg.inv(forward))


def test_the_inverse_layer_exchanges_the_directions() -> None:
    network = made(context=2)
    straight, turned = MaskedAutoregressive(FEATURES, network), InverseAutoregressive(FEATURES, network)
    x, context = torch.randn(5, FEATURES, dtype=torch.float64), torch.randn(5, 2, dtype=torch.float64)
    torch.testing.assert_close(turned.inverse(x, context), straight(x, context))
    torch.testing.assert_close(turned(x, context), straight.inverse(x, context))


def test_the_first_feature_depends_on_the_context() -> None:
    layer = MaskedAutoregressive(FEATURES, made(context=2))
    x = torch.randn(1, FEATURES, dtype=torch.float64)
    z, _ = layer(x.expand(2, -1), torch.randn(2, 2, dtype=torch.float64))
    assert (z[0] != z[1]).all()


@pytest.mark.parametrize("layer", [MaskedAutoregressive, InverseAutoregressive])
def test_autocast_changes_nothing(layer: Callable[..., MaskedAutoregressive]) -> None:
    bijector = layer(FEATURES, made(context=2)).float()
    x, context = torch.randn(5, FEATURES), torch.randn(5, 2)
    expected = bijector(x, context), bijector.inverse(x, context)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        got = bijector(x, context), bijector.inverse(x, context)
    assert all(torch.equal(a, b) for pair in zip(got, expected, strict=True) for a, b in zip(*pair, strict=True))


@pytest.mark.parametrize("layer", [MaskedAutoregressive, InverseAutoregressive])
def test_wrong_widths_are_named(layer: Callable[..., MaskedAutoregressive]) -> None:
    with pytest.raises(ValueError, match="the MADE has parameters_per_feature=3; this layer needs"):
        layer(FEATURES, made(parameters=3))
    with pytest.raises(ValueError, match="the MADE has features=4; this layer needs features=5"):
        layer(FEATURES + 1, made())
    unsaid = layer(FEATURES, StrictlyLowerLinear(FEATURES, 3)).double()
    with pytest.raises(ValueError, match=r"the conditioner gave .* 2 parameters for each of"):
        unsaid(torch.rand(5, FEATURES).double())
    bijector = layer(FEATURES, made())
    for call in (bijector, bijector.inverse):
        with pytest.raises(ValueError, match=rf"{layer.__name__}\(4\) got the event shape \(5,\)"):
            call(torch.rand(2, 5).double())


def test_a_transform_without_parameters_is_refused() -> None:
    with pytest.raises(ValueError, match="Sigmoid has no parameters"):
        MaskedAutoregressive(3, nn.Identity(), Sigmoid())
