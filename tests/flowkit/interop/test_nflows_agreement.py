"""With the same weights, the same numbers as nflows: maps that both have in the same form, or in forms that agree."""

import math
from collections.abc import Iterator

import nflows.transforms
import pytest
import torch
from nflows.transforms.made import MADE as NflowsMADE  # noqa: N811
from nflows.transforms.splines.rational_quadratic import unconstrained_rational_quadratic_spline
from torch import Tensor, nn

from flowkit import Additive, Affine, Bijector, Coupling
from flowkit.bijectors.autoregressive import MaskedAutoregressive
from flowkit.bijectors.lu import LULinear
from flowkit.nn.made import MADE
from flowkit.transforms import SigmoidScale
from flowkit.transforms.rational_quadratic import RationalQuadraticSpline

FEATURES = 5
BINS, BOUND, LEAST = 6, 3.0, 1e-3
HALVES = [True, True, False, False, False]
ALTERNATING = [True, False, True, False, True]
MASKS = pytest.mark.parametrize("kept", [HALVES, ALTERNATING], ids=["halves", "alternating"])


@pytest.fixture(autouse=True)
def _same_numbers() -> Iterator[None]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def agree(ours: Bijector[Tensor, Tensor], theirs: nflows.transforms.Transform) -> None:
    """The same results and log-determinants: both ways, of values well inside of splines and beyond their ends."""
    x = 2 * torch.randn(50, FEATURES, dtype=torch.float64)
    for our_direction, their_direction in ((ours, theirs), (ours.inverse, theirs.inverse)):
        (y, log_det), (their_y, their_log_det) = our_direction(x), their_direction(x)
        torch.testing.assert_close(y, their_y, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(log_det, their_log_det, rtol=1e-6, atol=1e-6)
        assert not torch.allclose(y, x, atol=1e-2)


def perturbed(module: nn.Module) -> nn.Module:
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return module.double()


class Network(nn.Module):
    """A network for either: nflows passes the context as the second argument."""

    def __init__(self, seen: int, out: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(seen, 8), nn.Tanh(), nn.Linear(8, out))

    def forward(self, x: Tensor, context: None = None) -> Tensor:
        return self.layers(x)


class Rearranged(nn.Module):
    """Their network, its outputs put into the form of ours."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, x: Tensor) -> Tensor:
        return self.rearrange(self.network(x))

    def rearrange(self, raw: Tensor) -> Tensor:
        raise NotImplementedError


class AffineHalves(Rearranged):
    """All shifts, then all raw scales, of s x + t; ours interleaves those of s (x + b)."""

    def rearrange(self, raw: Tensor) -> Tensor:
        shift, raw_scale = raw.chunk(2, -1)
        scale = torch.sigmoid(raw_scale + 2) + LEAST
        return torch.stack([shift / scale, raw_scale], -1).flatten(-2)


class AffinePairs(Rearranged):
    """Pairs of a raw scale and a shift, of s x + t."""

    def rearrange(self, raw: Tensor) -> Tensor:
        raw_scale, shift = raw.unflatten(-1, (-1, 2)).unbind(-1)
        return torch.stack([shift / (nn.functional.softplus(raw_scale) + LEAST), raw_scale], -1).flatten(-2)


class SplineOffset(Rearranged):
    """Raw derivatives of which 0 does not stand for the slope 1."""

    def rearrange(self, raw: Tensor) -> Tensor:
        offset = torch.zeros(3 * BINS - 1, dtype=raw.dtype)
        offset[2 * BINS :] = math.log(math.expm1(1 - LEAST))
        return (raw.unflatten(-1, (-1, 3 * BINS - 1)) - offset).flatten(-2)


class SoftplusScale(nn.Module):
    """The scale of nflows' autoregressive layer."""

    def forward(self, raw: Tensor) -> Tensor:
        return (nn.functional.softplus(raw) + LEAST).log()


def without_order(theirs: NflowsMADE) -> MADE:
    """Our MADE with their weights: hidden units put in the order of their degrees."""
    hidden = [theirs.initial_layer, *(block.linear for block in theirs.blocks)]
    parameters = theirs.final_layer.out_features // FEATURES
    ours = MADE(FEATURES, parameters, [layer.out_features for layer in hidden], activation=nn.Tanh).double()
    before = torch.arange(FEATURES)
    with torch.no_grad():
        for mine, layer in zip(ours.layers, [*hidden, theirs.final_layer], strict=True):
            outputs = layer is theirs.final_layer
            after = torch.arange(layer.out_features) if outputs else layer.degrees.argsort(stable=True)
            mine.weight.copy_(layer.weight[after][:, before])
            mine.bias.copy_(layer.bias[after])
            before = after
    return ours


def their_made(parameters: int) -> NflowsMADE:
    # As many hidden units of each degree as in ours: a multiple of the number of degrees.
    return perturbed(
        NflowsMADE(
            FEATURES,
            hidden_features=3 * (FEATURES - 1),
            num_blocks=1,
            output_multiplier=parameters,
            use_residual_blocks=False,
            activation=torch.tanh,
        )
    )


def test_made() -> None:
    theirs = their_made(3)
    x = torch.randn(50, FEATURES, dtype=torch.float64)
    torch.testing.assert_close(without_order(theirs)(x), theirs(x), rtol=1e-6, atol=1e-6)


def test_masked_affine_autoregressive() -> None:
    theirs = nflows.transforms.MaskedAffineAutoregressiveTransform(FEATURES, hidden_features=4)
    theirs.autoregressive_net = their_made(2)
    network = AffinePairs(without_order(theirs.autoregressive_net))
    agree(MaskedAutoregressive(FEATURES, network, Affine(SoftplusScale())), theirs.double())


def test_masked_spline_autoregressive() -> None:
    theirs = nflows.transforms.MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
        FEATURES, hidden_features=4, num_bins=BINS, tails="linear", tail_bound=BOUND
    )
    theirs.autoregressive_net = their_made(3 * BINS - 1)
    network = SplineOffset(without_order(theirs.autoregressive_net))
    agree(MaskedAutoregressive(FEATURES, network, RationalQuadraticSpline(BINS, BOUND)), theirs.double())


@MASKS
def test_affine_coupling(kept: list[bool]) -> None:
    theirs = perturbed(nflows.transforms.AffineCouplingTransform([not k for k in kept], Network))
    network = AffineHalves(theirs.transform_net)
    agree(Coupling(FEATURES, network, Affine(SigmoidScale(LEAST)), event_dims=1, mask=kept), theirs)


@MASKS
def test_additive_coupling(kept: list[bool]) -> None:
    theirs = perturbed(nflows.transforms.AdditiveCouplingTransform([not k for k in kept], Network))
    agree(Coupling(FEATURES, theirs.transform_net, Additive(), event_dims=1, mask=kept), theirs)


@MASKS
@pytest.mark.filterwarnings("ignore:Inputs to the softmax")
def test_spline_coupling(kept: list[bool]) -> None:
    theirs = perturbed(
        nflows.transforms.PiecewiseRationalQuadraticCouplingTransform(
            [not k for k in kept], Network, num_bins=BINS, tails="linear", tail_bound=BOUND
        )
    )
    network = SplineOffset(theirs.transform_net)
    agree(Coupling(FEATURES, network, RationalQuadraticSpline(BINS, BOUND), event_dims=1, mask=kept), theirs)


@pytest.mark.parametrize("backwards", [False, True])
def test_rational_quadratic_spline(backwards: bool) -> None:
    raw = torch.randn(200, 3 * BINS - 1, dtype=torch.float64)
    x = 4 * torch.randn(200, dtype=torch.float64)
    widths, heights, derivatives = raw.split((BINS, BINS, BINS - 1), -1)
    expected = unconstrained_rational_quadratic_spline(
        x, widths, heights, derivatives, inverse=backwards, tail_bound=BOUND
    )
    spline = RationalQuadraticSpline(BINS, BOUND)
    ours = spline.constrain(SplineOffset(nn.Identity())(raw))
    got = spline.inverse(x, ours) if backwards else spline(x, ours)
    torch.testing.assert_close(got, expected, rtol=1e-6, atol=1e-6)


def test_lu_linear() -> None:
    theirs = perturbed(nflows.transforms.LULinear(FEATURES))
    with torch.no_grad():
        theirs.bias.zero_()
    ours = LULinear(FEATURES).double()
    lower, upper = theirs._create_lower_upper()
    with torch.no_grad():
        ours.permutation.copy_(torch.arange(FEATURES))
        ours.lower.copy_(lower.tril(-1))
        ours.upper.copy_(upper.triu(1))
        ours.log_scale.copy_(upper.diagonal().log())
        ours.sign.fill_(1)
    agree(ours, theirs)
