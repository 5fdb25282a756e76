"""nflows' transforms and distributions as flowkit's, and the other way."""

import importlib
import pickle
import re
import subprocess
import sys
from typing import Any

import pytest
import torch
from nflows import distributions, flows, transforms
from nflows.nn.nets import ResidualNet
from torch import Tensor, nn

from flowkit import (
    Chain,
    Factorised,
    FactorOut,
    Flow,
    Gaussian,
    Inverse,
    LUConv1x1,
    MultiScale,
    Squeeze,
    StandardNormal,
    ZeroConv2d,
)
from flowkit.distributions import Distribution
from flowkit.interop import nflows_layout
from flowkit.interop.nflows import DistributionFromNflows, DistributionToNflows, FromNflows, ToNflows, flow_to_nflows
from flowkit.testing import run_checks
from tests.flowkit.interop.flows import conditional, couplings, image_flow, off_start
from tests.flowkit.interop.nflows_transforms import TRANSFORMS

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning")

# Rounding of float64 through a few layers; the smallest mistake is of order 0.1.
TOLERANCE = 1e-10
BATCHES = [(), (1,), (4,), (2, 3), (0,)]


def close(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=TOLERANCE, atol=TOLERANCE)


def conditional_coupling() -> Any:
    def network(inputs: int, outputs: int) -> nn.Module:
        return ResidualNet(inputs, outputs, hidden_features=8, context_features=2, num_blocks=1)

    torch.manual_seed(0)
    return transforms.AffineCouplingTransform([1, 0, 1], network).double().eval()


# --- a transform of nflows ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", BATCHES, ids=str)
def test_a_transform_gives_what_nflows_gives(batch: tuple[int, ...]) -> None:
    transform = conditional_coupling()
    bijector = FromNflows(transform)
    x = torch.randn(*batch, 3, dtype=torch.float64)
    context = torch.randn(*batch, 2, dtype=torch.float64)
    rows = x.reshape(-1, 3) if x.numel() else x
    expected, expected_log_det = transform(rows, context.reshape(len(rows), 2))
    for direction, its in ((bijector, transform), (bijector.inverse, transform.inverse)):
        z, log_det = direction(x, context)
        expected, expected_log_det = its(rows, context.reshape(len(rows), 2))
        assert z.shape == x.shape
        assert log_det.shape == batch
        close(z, expected.reshape(x.shape))
        close(log_det, expected_log_det.reshape(batch))


@pytest.mark.parametrize("shape", [(2,), (1, 2), (3, 2), (1, 3, 2), (4, 1, 2), (4, 3, 2)], ids=str)
def test_contexts_broadcast_to_the_batch(shape: tuple[int, ...]) -> None:
    bijector = FromNflows(conditional_coupling())
    x = torch.randn(4, 3, 3, dtype=torch.float64)
    context = torch.randn(shape, dtype=torch.float64)
    z, log_det = bijector(x, context)
    whole = context.expand(4, 3, 2)
    for i, j in ((0, 0), (3, 1), (2, 2)):
        one, its_log_det = bijector(x[i, j], whole[i, j])
        close(z[i, j], one)
        close(log_det[i, j], its_log_det)
    close(bijector.bind(context).inverse(z)[0], x)


def test_a_context_that_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match=r"4 rows of data and a context of shape \(5, 2\) do not fit"):
        FromNflows(conditional_coupling())(torch.randn(4, 3).double(), torch.randn(5, 2).double())


def test_a_context_of_images() -> None:
    class Shift(transforms.Transform):  # type: ignore[misc]
        def forward(self, inputs: Tensor, context: Tensor) -> tuple[Tensor, Tensor]:
            assert context.shape == inputs.shape
            return inputs + context, inputs.new_zeros(len(inputs))

    bijector = FromNflows(Shift(), event_dims=3, context_dims=3)
    x = torch.randn(2, 5, 1, 4, 4)
    context = torch.randn(5, 1, 4, 4)
    assert torch.equal(bijector(x, context)[0], x + context)


def test_parameters_are_part_of_the_bijector() -> None:
    transform = conditional_coupling()
    bijector = FromNflows(transform)
    assert {id(p) for p in bijector.parameters()} == {id(p) for p in transform.parameters()}
    z, log_det = bijector(torch.randn(4, 3).double(), torch.randn(4, 2).double())
    (z.sum() + log_det.sum()).backward()
    assert all(parameter.grad is not None for parameter in transform.transform_net.final_layer.parameters())


def test_it_composes_with_flowkit_s() -> None:
    linear = FromNflows(transforms.LULinear(3, identity_init=False))
    parts = [linear, conditional(3, context=2), Inverse(FromNflows(conditional_coupling()))]
    flow = Flow(Chain(parts), StandardNormal(), event_shape=(3,)).double()
    context = torch.randn(5, 2, dtype=torch.float64)
    x = flow.sample(5, context=context)
    z, log_det = flow.bijector(x, context)
    close(flow.bijector.inverse(z, context)[0], x)
    close(flow.log_prob(x, context), StandardNormal().log_prob(z) + log_det)


def test_log_determinants_are_float32_at_least_and_results_stay_out_of_autocast() -> None:
    linear = transforms.LULinear(3, identity_init=False)
    x = torch.randn(4, 3)
    with torch.no_grad():
        expected, expected_log_det = FromNflows(linear)(x)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            z, log_det = FromNflows(linear)(x)
            assert linear(x)[0].dtype == torch.bfloat16
    assert torch.equal(z, expected)
    assert torch.equal(log_det, expected_log_det)
    half, log_det = FromNflows(transforms.ReversePermutation(3))(x.bfloat16())
    assert half.dtype == torch.bfloat16
    assert log_det.dtype == torch.float32


def multiscale() -> Any:
    return TRANSFORMS["MultiscaleCompositeTransform"].make().transform.double().eval()


@pytest.mark.parametrize("batch", [(), (3,), (2, 2)], ids=str)
@pytest.mark.parametrize("wrapped", [False, True], ids=["alone", "last_of_several"])
def test_levels_are_a_tuple_of_latents(batch: tuple[int, ...], wrapped: bool) -> None:
    inner = multiscale()
    transform = (
        transforms.CompositeTransform([transforms.PointwiseAffineTransform(0.5, 2.0), inner]) if wrapped else inner
    )
    bijector = FromNflows(transform, event_dims=3).double()
    off_start(bijector)
    x = torch.randn(*batch, 1, 4, 8, dtype=torch.float64)
    assert bijector.output_shape((1, 4, 8)) == ((2, 2, 4), (8, 1, 2))
    assert bijector.input_shape(((2, 2, 4), (8, 1, 2))) == (1, 4, 8)
    z, log_det = bijector(x)
    assert [tuple(part.shape) for part in z] == [(*batch, 2, 2, 4), (*batch, 8, 1, 2)]
    assert log_det.shape == batch
    joined = torch.cat([part.reshape(-1, 16) for part in z], -1)
    close(joined, transform(x.reshape(-1, 1, 4, 8))[0])
    back, log_det_back = bijector.inverse(z)
    close(back, x)
    close(log_det_back, -log_det)


def test_latents_of_several_levels_go_under_either_base() -> None:
    bijector = FromNflows(multiscale(), event_dims=3)
    own = Flow(bijector, StandardNormal(event_dims=3), event_shape=(1, 4, 8)).double()
    theirs = Flow(bijector, DistributionFromNflows(distributions.StandardNormal([32]), 3), (1, 4, 8)).double()
    x = torch.randn(5, 1, 4, 8, dtype=torch.float64)
    close(theirs.log_prob(x), own.log_prob(x))
    assert own.sample(2).shape == theirs.sample(2).shape == (2, 1, 4, 8)


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match=r"SqueezeTransform\(2\) takes sizes divisible by 2, .* \(1, 3, 4\)"):
        FromNflows(transforms.SqueezeTransform(), event_dims=3)(torch.randn(1, 1, 3, 4))
    with pytest.raises(ValueError, match=r"multiple of 4 channels, got \(3, 2, 2\)"):
        FromNflows(transforms.SqueezeTransform(), event_dims=3).inverse(torch.randn(1, 3, 2, 2))
    bijector = FromNflows(multiscale(), event_dims=3)
    with pytest.raises(ValueError, match="gives latents of the event shapes"):
        bijector(torch.randn(1, 1, 8, 8).double())
    with pytest.raises(ValueError, match="gives latents of the event shapes"):
        bijector.inverse((torch.randn(1, 2, 2, 4).double(), torch.randn(1, 8, 2, 2).double()))


def odd_levels() -> Any:
    transform = transforms.MultiscaleCompositeTransform(2)
    rest = transform.add_transform(transforms.IdentityTransform(), (5, 2, 2))
    transform.add_transform(transforms.SqueezeTransform(), (4 * rest[0], 1, 1))
    return transform


@pytest.mark.parametrize(
    ("transform", "before", "after"),
    [
        (transforms.SqueezeTransform(3), (2, 6, 9), (18, 2, 3)),
        (transforms.InverseTransform(transforms.SqueezeTransform()), (8, 2, 3), (2, 4, 6)),
        (transforms.CompositeTransform([transforms.SqueezeTransform()] * 2), (1, 4, 8), (16, 1, 2)),
        (transforms.LULinear(3), (3,), (3,)),
        (odd_levels(), (5, 2, 2), ((3, 2, 2), (8, 1, 1))),
        (
            transforms.CompositeTransform([transforms.InverseTransform(transforms.SqueezeTransform()), odd_levels()]),
            (20, 1, 1),
            ((3, 2, 2), (8, 1, 1)),
        ),
    ],
    ids=["squeeze", "inverse", "composite", "others", "levels", "composite_of_levels"],
)
def test_shapes_are_known(transform: Any, before: Any, after: Any) -> None:
    assert nflows_layout.output_shape(transform, before) == after
    assert nflows_layout.input_shape(transform, after) == before


UNIT, REALS = (0.0, 1.0), (-float("inf"), float("inf"))


@pytest.mark.parametrize(
    ("transform", "domain", "codomain"),
    [
        (transforms.Sigmoid(), REALS, UNIT),
        (transforms.Logit(), UNIT, REALS),
        (transforms.Tanh(), REALS, (-1.0, 1.0)),
        (transforms.InverseTransform(transforms.Tanh()), (-1.0, 1.0), REALS),
        (transforms.PiecewiseLinearCDF([3]), UNIT, UNIT),
        (transforms.PiecewiseLinearCDF([3], tails="linear"), REALS, REALS),
        (transforms.CompositeTransform([transforms.Logit(), transforms.Tanh()]), UNIT, (-1.0, 1.0)),
        (transforms.CompositeCDFTransform(transforms.Sigmoid(), transforms.PiecewiseCubicCDF([3])), REALS, REALS),
        (transforms.MaskedPiecewiseLinearAutoregressiveTransform(4, 3, 8), UNIT, UNIT),
        (transforms.LULinear(3), REALS, REALS),
    ],
    ids=[
        "sigmoid",
        "logit",
        "tanh",
        "artanh",
        "cdf",
        "tails",
        "composite",
        "composite_cdf",
        "autoregressive",
        "linear",
    ],
)
def test_intervals_are_known(transform: Any, domain: tuple[float, float], codomain: tuple[float, float]) -> None:
    bijector = FromNflows(transform)
    assert bijector.domain(torch.float32) == domain
    assert bijector.codomain(torch.float32) == codomain
    for direction, interval in ((bijector, domain), (bijector.inverse, codomain)):
        if interval != REALS:
            with pytest.raises(ValueError, match="open interval"):
                direction(torch.full((2, 3), 1.5))


def test_a_log_determinant_that_is_not_one_for_each_sample_is_named() -> None:
    with pytest.raises(ValueError, match=r"GatedLinearUnit gave a log-determinant of shape \(12,\) for 4 samples"):
        FromNflows(transforms.GatedLinearUnit())(torch.randn(4, 3), torch.randn(4, 3))


def test_others_than_nflows_s_are_refused() -> None:
    with pytest.raises(TypeError, match=r"FromNflows takes an nflows.transforms.Transform, got a Squeeze"):
        FromNflows(Squeeze())
    with pytest.raises(
        TypeError, match=r"DistributionFromNflows takes an nflows.distributions.Distribution, got a Stand"
    ):
        DistributionFromNflows(StandardNormal())


# --- a bijector as a transform of nflows ----------------------------------------------------------------------------


def test_a_bijector_is_a_transform() -> None:
    bijector = conditional(3, context=2)
    transform = ToNflows(bijector)
    assert isinstance(transform, transforms.Transform)
    x, context = torch.randn(5, 3).double(), torch.randn(5, 2).double()
    for got, expected in (
        (transform(x, context), bijector(x, context)),
        (transform.inverse(x, context=context), bijector.inverse(x, context)),
    ):
        close(got[0], expected[0])
        close(got[1], expected[1])
    assert {id(p) for p in transform.parameters()} == {id(p) for p in bijector.parameters()}


def test_it_goes_wherever_nflows_takes_one() -> None:
    bijector = couplings(3)
    parts = [ToNflows(bijector), transforms.ReversePermutation(3), transforms.InverseTransform(ToNflows(bijector))]
    composed = transforms.CompositeTransform(parts).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    z, log_det = composed(x)
    inner, first = bijector(x)
    expected, last = bijector.inverse(inner.flip(-1))
    close(z, expected)
    close(log_det, first + last)
    close(composed.inverse(z)[0], x)
    flow = flows.Flow(composed, distributions.StandardNormal([3])).double()
    close(flow.log_prob(x), StandardNormal().log_prob(z) + log_det)


def test_there_and_back_it_is_the_same() -> None:
    bijector = couplings(3)
    again = FromNflows(ToNflows(bijector))
    x = torch.randn(2, 4, 3, dtype=torch.float64)
    for got, expected in ((again(x), bijector(x)), (again.inverse(x), bijector.inverse(x))):
        close(got[0], expected[0])
        close(got[1], expected[1])


def test_the_way_there_and_back_keeps_the_contract() -> None:
    # What nflows' own transforms fail in is theirs: the two adapters keep everything.
    run_checks(lambda: FromNflows(ToNflows(couplings(3))), event=(3,), seeds=(0,)).raise_for_failures()


def test_a_tuple_of_latents_becomes_one_vector() -> None:
    flow = image_flow()
    transform = ToNflows(flow.bijector, event_shape=(1, 4, 4))
    x = torch.randn(3, 1, 4, 4, dtype=torch.float64)
    z, log_det = transform(x)
    parts, expected = flow.bijector(x)
    assert z.shape == (3, 16)
    close(z, torch.cat([part.flatten(1) for part in parts], -1))
    close(log_det, expected)
    back, log_det_back = transform.inverse(z)
    close(back, x)
    close(log_det_back, -log_det)
    turned = ToNflows(Inverse(flow.bijector), event_shape=flow.bijector.output_shape((1, 4, 4)))
    close(turned(z)[0], x)
    close(turned.inverse(x)[0], z)


def test_inputs_that_nflows_cannot_pass_on_are_refused() -> None:
    with pytest.raises(ValueError, match=r"MultiScale gives a tuple, .* pass event_shape="):
        ToNflows(MultiScale([Squeeze(), Squeeze()], [FactorOut(4, ZeroConv2d(2, 4))]))(torch.randn(1, 1, 4, 4))
    for shape in ((3,), (2, 5, 3)):
        with pytest.raises(ValueError, match="one batch dimension: Chain is given 2 dimensions in all"):
            ToNflows(couplings(3))(torch.randn(shape).double())
    with pytest.raises(ValueError, match="rows of 16 numbers"):
        ToNflows(image_flow().bijector, (1, 4, 4)).inverse(torch.randn(2, 15).double())


def test_views_can_be_pickled() -> None:
    flow = flow_to_nflows(Flow(couplings(3), StandardNormal(), event_shape=(3,)).double())
    x = torch.randn(5, 3, dtype=torch.float64)
    close(pickle.loads(pickle.dumps(flow)).log_prob(x), flow.log_prob(x))
    bijector = FromNflows(transforms.LULinear(3, identity_init=False).double())
    close(pickle.loads(pickle.dumps(bijector))(x)[0], bijector(x)[0])


# --- distributions --------------------------------------------------------------------------------------------------


def a_flow_of_nflows() -> Any:
    base = distributions.ConditionalDiagonalNormal([3], nn.Linear(2, 6).double())
    return flows.Flow(conditional_coupling(), base).double()


@pytest.mark.parametrize("batch", BATCHES, ids=str)
def test_a_distribution_scores_as_nflows_does(batch: tuple[int, ...]) -> None:
    flow = a_flow_of_nflows()
    z = torch.randn(*batch, 3, dtype=torch.float64)
    label = torch.randn(*batch, 2, dtype=torch.float64)
    log_prob = DistributionFromNflows(flow).log_prob(z, label)
    assert log_prob.shape == batch
    rows = torch.Size(batch).numel()
    close(log_prob, flow.log_prob(z.reshape(rows, 3), label.reshape(rows, 2)).reshape(batch))


def test_a_distribution_is_a_base_of_a_flow() -> None:
    base = DistributionFromNflows(distributions.StandardNormal([3]))
    flow = Flow(couplings(3), base, event_shape=(3,)).double()
    expected = Flow(flow.bijector, StandardNormal(), event_shape=(3,)).double()
    x = torch.randn(4, 3, dtype=torch.float64)
    close(flow.log_prob(x), expected.log_prob(x))
    torch.manual_seed(0)
    drawn = flow.sample(4)
    assert drawn.dtype == torch.float64
    torch.manual_seed(0)
    # nflows draws in float32.
    close(drawn, flow.bijector.inverse(torch.randn(4, 3).double())[0])


class Narrow(distributions.Distribution):  # type: ignore[misc]
    """Draws its context: every sample tells where it comes from."""

    def _sample(self, num_samples: int, context: Tensor) -> Tensor:
        return context[:, None].expand(-1, num_samples, -1)


@pytest.mark.parametrize("shape", [(2,), (1, 2), (5, 2)], ids=str)
def test_samples_follow_their_own_label(shape: tuple[int, ...]) -> None:
    label = torch.arange(torch.Size(shape).numel(), dtype=torch.float32).reshape(shape)
    assert torch.equal(DistributionFromNflows(Narrow()).sample(5, (2,), label), label.expand(5, 2))


def test_a_generator_decides_and_is_all_that_moves() -> None:
    base = DistributionFromNflows(distributions.StandardNormal([3]))
    before = torch.get_rng_state()
    generator = torch.Generator().manual_seed(5)
    first, second = base.sample(4, (3,), generator=generator), base.sample(4, (3,), generator=generator)
    again = base.sample(4, (3,), generator=torch.Generator().manual_seed(5))
    assert torch.equal(first, again)
    assert not torch.equal(first, second)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_temperature_is_refused() -> None:
    base = DistributionFromNflows(distributions.StandardNormal([3]))
    with pytest.raises(ValueError, match=r"temperature is 0.5; nflows' StandardNormal draws at 1 alone"):
        base.sample(4, (3,), temperature=0.5)


@pytest.mark.parametrize(
    ("distribution", "expected"),
    [
        (distributions.StandardNormal([3]), True),
        (a_flow_of_nflows(), True),
        (flows.Flow(a_flow_of_nflows()._transform, distributions.MADEMoG(3, 8, 2)), False),
        (Narrow(), False),
    ],
    ids=["normal", "flow", "mixture", "unknown"],
)
def test_has_rsample_is_known(distribution: Any, expected: bool) -> None:
    assert DistributionFromNflows(distribution).has_rsample is expected


def test_a_distribution_of_flowkit_s_is_one_of_nflows_s() -> None:
    gaussian = Gaussian(3, event_dims=1)
    off_start(gaussian)
    view = DistributionToNflows(gaussian, (3,))
    z = torch.randn(5, 3, dtype=torch.float64)
    assert isinstance(view, distributions.Distribution)
    close(view.log_prob(z), gaussian.log_prob(z))
    samples, log_prob = view.sample_and_log_prob(20_000)
    close(log_prob, gaussian.log_prob(samples))
    # Standard errors of 0.01 for the means, of 0.03 for the covariances.
    torch.testing.assert_close(samples.mean(0), gaussian.mean, rtol=0, atol=0.1)
    torch.testing.assert_close(samples.T.cov(), gaussian.cholesky @ gaussian.cholesky.T, rtol=0, atol=0.2)
    with pytest.raises(ValueError, match=r"events of shape \(3,\), got inputs of shape \(5, 2\)"):
        view.log_prob(z[:, :2])


class Labelled(Distribution[Tensor]):
    """N(label, 1): draws near its label."""

    takes_label = True

    def _log_prob(self, z: Tensor, label: Any) -> Tensor:
        return StandardNormal().log_prob(z - label)

    def _sample(self, batch: int, shape: Any, label: Any, temperature: float, generator: Any) -> Tensor:
        return label + 1e-3 * torch.randn(batch, *shape)


def test_a_context_is_the_label() -> None:
    view = DistributionToNflows(Labelled(), (2,))
    context = torch.tensor([[0.0, 10.0], [20.0, 30.0], [40.0, 50.0]])
    samples, log_prob = view.sample_and_log_prob(4, context)
    assert samples.shape == (3, 4, 2)
    assert log_prob.shape == (3, 4)
    assert (samples - context[:, None]).abs().max() < 0.1
    torch.testing.assert_close(log_prob, StandardNormal().log_prob(samples - context[:, None]))


def test_there_and_back_a_distribution_is_the_same() -> None:
    gaussian = Gaussian(3, event_dims=1)
    off_start(gaussian)
    again = DistributionFromNflows(DistributionToNflows(gaussian, (3,)))
    z = torch.randn(2, 5, 3, dtype=torch.float64)
    close(again.log_prob(z), gaussian.log_prob(z))
    levels = Factorised([Gaussian(2), Gaussian(4)])
    off_start(levels)
    shapes = ((2, 2, 2), (4, 1, 1))
    joined = DistributionFromNflows(DistributionToNflows(levels, shapes), event_dims=3)
    drawn = joined.sample(6, shapes)
    assert [tuple(part.shape) for part in drawn] == [(6, 2, 2, 2), (6, 4, 1, 1)]
    drawn = tuple(part.double() for part in drawn)
    close(joined.log_prob(drawn), levels.log_prob(drawn))


# --- flows ----------------------------------------------------------------------------------------------------------


def test_a_flow_is_a_flow() -> None:
    flow = Flow(couplings(3), Gaussian(3, event_dims=1), event_shape=(3,)).double()
    off_start(flow.base)
    view = flow_to_nflows(flow)
    assert isinstance(view, flows.Flow)
    x = torch.randn(5, 3, dtype=torch.float64)
    close(view.log_prob(x), flow.log_prob(x))
    close(view.transform_to_noise(x), flow.bijector(x)[0])
    samples, log_prob = view.sample_and_log_prob(4)
    assert samples.shape == (4, 3)
    close(log_prob, flow.log_prob(samples))
    torch.manual_seed(0)
    drawn = view.sample(4)
    torch.manual_seed(0)
    close(drawn, flow.sample(4))


def test_a_conditional_flow_is_a_flow() -> None:
    flow = Flow(conditional(3, context=2), StandardNormal(), event_shape=(3,)).double()
    view = flow_to_nflows(flow)
    context = torch.randn(4, 2, dtype=torch.float64)
    samples, log_prob = view.sample_and_log_prob(5, context)
    assert samples.shape == (4, 5, 3)
    for i in range(4):
        close(log_prob[i], flow.log_prob(samples[i], context[i : i + 1]))


def test_a_flow_of_several_levels_is_a_flow() -> None:
    flow = image_flow()
    view = flow_to_nflows(Flow(flow.bijector, flow.base), event_shape=(1, 4, 4))
    x = torch.randn(5, 1, 4, 4, dtype=torch.float64)
    close(view.log_prob(x), flow.log_prob(x))
    assert view.sample(3).shape == (3, 1, 4, 4)
    assert view.transform_to_noise(x).shape == (5, 16)


def test_a_flow_of_any_size_is_to_say_which() -> None:
    with pytest.raises(ValueError, match="event_shape="):
        flow_to_nflows(Flow(LUConv1x1(3), StandardNormal(event_dims=3)))


# --- without nflows -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("package", ["nflows", "pyro"])
def test_a_missing_library_is_named(package: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = [name for name in sys.modules if name.startswith(f"{package}.")]
    for name in (package, *loaded):
        monkeypatch.setitem(sys.modules, name, None)
    monkeypatch.delitem(sys.modules, f"flowkit.interop.{package}", raising=False)
    with pytest.raises(ModuleNotFoundError, match=re.escape(f'pip install "flowkit-core[{package}]"')):
        importlib.import_module(f"flowkit.interop.{package}")


def test_the_rest_is_there_without_it() -> None:
    script = (
        "import sys\nsys.modules['nflows'] = sys.modules['pyro'] = None\nimport flowkit.interop.torch_distributions\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match=r"ToNflows takes a flowkit\.Bijector, got LULinear"):
        ToNflows(transforms.LULinear(2))
    with pytest.raises(TypeError, match=r"takes a flowkit.Flow, got LUConv1x1; ToNflows"):
        flow_to_nflows(LUConv1x1(2))  # type: ignore[arg-type]
