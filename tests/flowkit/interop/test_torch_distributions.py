"""Flows and base distributions as torch.distributions."""

import math
import pickle
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import (
    Dirichlet,
    Gamma,
    Independent,
    MixtureSameFamily,
    Normal,
    TransformedDistribution,
    kl_divergence,
)
from torch.distributions import Distribution as TorchDistribution
from torch.distributions.transforms import ExpTransform

from flowkit import Factorised, Flow, Gaussian, Injector, Squeeze, StandardNormal, Uniform
from flowkit.distributions import Distribution
from flowkit.distributions.class_conditional import ClassConditional
from flowkit.distributions.mixture import Mixture
from flowkit.distributions.resampled import Resampled
from flowkit.distributions.torch_distribution import TorchDistribution as FromTorch
from flowkit.interop.torch_distributions import BaseDistribution, BijectorTransform, FlowDistribution
from tests.flowkit.interop.flows import Exponential, Scale, conditional, couplings, image_flow, off_start

# Rounding of float64 through a few layers; the smallest mistake is of order 0.1.
TOLERANCE = 1e-10

LOCATION = torch.tensor([1.0, -2.0, 0.5], dtype=torch.float64)
SCALES = torch.tensor([0.5, 2.0, 3.0], dtype=torch.float64)


def close(got: Tensor, expected: Tensor) -> None:
    torch.testing.assert_close(got, expected, rtol=TOLERANCE, atol=TOLERANCE)


def affine_flow() -> Flow:
    flow = Flow(Scale(LOCATION.tolist(), SCALES.tolist()), StandardNormal(), event_shape=(3,))
    return flow.double()


def conditional_flow() -> Flow:
    return Flow(conditional(3, context=2), StandardNormal(), event_shape=(3,)).double()


# --- a flow ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batch", [(), (1,), (4,), (2, 3)], ids=str)
def test_an_affine_flow_of_a_normal_has_its_closed_form(batch: tuple[int, ...]) -> None:
    density = FlowDistribution(affine_flow())
    expected = Independent(Normal(LOCATION, SCALES), 1)
    x = torch.randn(*batch, 3, dtype=torch.float64)
    assert isinstance(density, TorchDistribution)
    assert density.event_shape == (3,)
    assert density.batch_shape == ()
    assert density.log_prob(x).shape == batch
    close(density.log_prob(x), expected.log_prob(x))
    torch.manual_seed(0)
    drawn = density.sample(batch)
    torch.manual_seed(0)
    close(drawn, expected.sample(batch))
    assert density.has_rsample
    assert density.rsample(batch).requires_grad
    assert not drawn.requires_grad


def test_it_is_the_flow() -> None:
    flow = Flow(couplings(3), StandardNormal(), event_shape=(3,)).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    close(FlowDistribution(flow).log_prob(x), flow.log_prob(x))


@pytest.mark.parametrize("sample_shape", [(), (1,), (5,), (2, 3)], ids=str)
def test_a_context_makes_the_batch(sample_shape: tuple[int, ...]) -> None:
    flow = conditional_flow()
    context = torch.randn(4, 2, dtype=torch.float64)
    density = FlowDistribution(flow, context)
    assert density.batch_shape == (4,)
    x = density.sample(sample_shape)
    assert x.shape == (*sample_shape, 4, 3)
    log_prob = density.log_prob(x)
    assert log_prob.shape == (*sample_shape, 4)
    for i in range(4):
        own = flow.log_prob(x[..., i, :].reshape(-1, 3), context[i : i + 1])
        close(log_prob[..., i], own.reshape(sample_shape))


def test_samples_follow_their_own_context() -> None:
    class Shift(Scale):
        def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
            return z * 1e-3 + prepared, z.new_zeros(z.shape[:-1])

    flow = Flow(Shift([0.0], [1.0]), StandardNormal(), event_shape=(1,)).double()
    context = torch.arange(6.0, dtype=torch.float64).reshape(2, 3, 1)
    drawn = FlowDistribution(flow, context).sample((7,))
    assert (drawn - context).abs().max() < 0.01


@pytest.mark.parametrize("context", [torch.ones(2), torch.ones(1, 2)], ids=["none", "one"])
def test_a_single_context_is_prepared_once_for_all_samples(context: Tensor) -> None:
    flow = conditional_flow()
    rows: list[int] = []
    flow.bijector.conditioner.register_forward_hook(lambda module, inputs, output: rows.append(len(inputs[0])))
    density = FlowDistribution(flow, context.double())
    density.log_prob(density.sample((50,)))
    assert rows == [1, 1]


def test_other_contexts_are_passed_on_unchanged() -> None:
    flow = conditional_flow()

    class Looked(Scale):
        def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
            return flow.bijector.inverse(z, prepared["fine"])

        def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
            return flow.bijector(x, prepared["fine"])

    one = torch.randn(1, 2, dtype=torch.float64)
    density = FlowDistribution(Flow(Looked([0.0], [1.0]), flow.base, (3,)), {"fine": one})
    assert density.batch_shape == ()
    x = density.sample((4,))
    close(density.log_prob(x), flow.log_prob(x, one))


def test_images_with_a_context() -> None:
    injector = Injector(2, nn.Conv2d(1, 4, 1))
    off_start(injector)
    flow = Flow(injector, StandardNormal(event_dims=3), event_shape=(2, 4, 6)).double()
    context = torch.randn(3, 1, 4, 6, dtype=torch.float64)
    density = FlowDistribution(flow, context, context_dims=3)
    assert density.batch_shape == (3,)
    x = density.sample((2,))
    assert x.shape == (2, 3, 2, 4, 6)
    close(density.log_prob(x)[1], flow.log_prob(x[1], context))


def test_values_broadcast_against_the_batch() -> None:
    density = FlowDistribution(conditional_flow(), torch.randn(4, 2, dtype=torch.float64))
    x = torch.randn(3, dtype=torch.float64)
    close(density.log_prob(x), density.log_prob(x.expand(4, 3)))
    many = torch.randn(5, 1, 3, dtype=torch.float64)
    close(density.log_prob(many), density.log_prob(many.expand(5, 4, 3)))


@pytest.mark.parametrize("batch_shape", [(4,), (5, 4), (2, 5, 4)], ids=str)
def test_expand(batch_shape: tuple[int, ...]) -> None:
    density = FlowDistribution(conditional_flow(), torch.randn(4, 2, dtype=torch.float64))
    wide = density.expand(torch.Size(batch_shape))
    assert wide.batch_shape == batch_shape
    assert density.batch_shape == (4,)
    x = wide.sample((3,))
    assert x.shape == (3, *batch_shape, 3)
    close(wide.log_prob(x), density.log_prob(x))
    independent = wide.log_prob(x[..., :1, :].expand_as(x))
    assert not torch.allclose(independent[..., 0], independent[..., 1])
    # The samples of the wider batch are apart.
    assert x.flatten(0, -2).unique(dim=0).shape[0] == x.flatten(0, -2).shape[0]


def test_expand_refuses_what_does_not_broadcast() -> None:
    density = FlowDistribution(conditional_flow(), torch.randn(4, 2, dtype=torch.float64))
    for wrong in ((), (3,), (4, 3), (1,)):
        with pytest.raises(ValueError, match=r"batch shape \(4,\) does not expand"):
            density.expand(wrong)


def test_independent_takes_the_batch_for_an_event() -> None:
    density = FlowDistribution(conditional_flow(), torch.randn(2, 4, 2, dtype=torch.float64))
    joint = Independent(density, 1)
    assert joint.batch_shape == (2,)
    assert joint.event_shape == (4, 3)
    x = joint.rsample((5,))
    assert x.shape == (5, 2, 4, 3)
    close(joint.log_prob(x), density.log_prob(x).sum(-1))


def test_torch_transforms_go_on_top() -> None:
    positive = TransformedDistribution(FlowDistribution(affine_flow()), [ExpTransform()])
    assert positive.event_shape == (3,)
    y = positive.sample((6,))
    expected = Independent(Normal(LOCATION, SCALES), 1).log_prob(y.log()) - y.log().sum(-1)
    close(positive.log_prob(y), expected)
    back = TransformedDistribution(FlowDistribution(affine_flow()), [BijectorTransform(affine_flow().bijector)])
    z = torch.randn(6, 3, dtype=torch.float64)
    close(back.log_prob(z), StandardNormal().log_prob(z))


def test_a_mixture_of_flows() -> None:
    flow = conditional_flow()
    context = torch.randn(2, 2, dtype=torch.float64)
    weights = torch.distributions.Categorical(torch.tensor([0.3, 0.7], dtype=torch.float64))
    mixture = MixtureSameFamily(weights, FlowDistribution(flow, context))
    x = mixture.sample((5,))
    assert x.shape == (5, 3)
    parts = torch.stack([flow.log_prob(x, context[i : i + 1]) for i in range(2)], -1)
    close(mixture.log_prob(x), torch.logsumexp(parts + weights.logits, -1))


def test_a_flow_of_several_levels_is_one_distribution() -> None:
    flow = image_flow()
    density = FlowDistribution(flow)
    assert density.event_shape == (1, 4, 4)
    x = density.rsample((3, 2))
    assert x.shape == (3, 2, 1, 4, 4)
    assert density.log_prob(x).shape == (3, 2)
    close(density.log_prob(x), flow.log_prob(x.flatten(0, 1)).reshape(3, 2))
    close(density.expand((2,)).log_prob(x), density.log_prob(x))
    sized = FlowDistribution(Flow(flow.bijector, flow.base), event_shape=(1, 8, 4))
    assert sized.sample().shape == (1, 8, 4)


def test_monte_carlo_gives_the_divergence() -> None:
    density = FlowDistribution(affine_flow())
    other = Independent(Normal(torch.zeros(3, dtype=torch.float64), 4.0), 1)
    torch.manual_seed(0)
    x = density.sample((20_000,))
    differences = density.log_prob(x) - other.log_prob(x)
    exact = kl_divergence(Independent(Normal(LOCATION, SCALES), 1), other)
    # Five standard errors: one run in a million is further off by chance, and the seed is fixed.
    assert (differences.mean() - exact).abs() < 5 * differences.std() / 20_000**0.5


def test_the_support_is_the_data_side() -> None:
    density = FlowDistribution(Flow(Exponential(), StandardNormal(), (2,)), validate_args=True)
    assert density.support.event_dim == 1
    assert density.support.check(torch.tensor([[1.0, 2.0], [1.0, -2.0]])).tolist() == [True, False]
    with pytest.raises(ValueError, match="within the support"):
        density.log_prob(torch.tensor([1.0, -2.0]))
    unchecked = FlowDistribution(Flow(Exponential(), StandardNormal(), (2,)), validate_args=False)
    assert unchecked.log_prob(torch.tensor([1.0, -2.0])) == -math.inf
    assert density.log_prob(torch.ones(2)).item() == pytest.approx(-math.log(2 * math.pi), rel=1e-6)


def test_gradients_through_samples_are_those_of_the_map() -> None:
    flow = Flow(couplings(3), Gaussian(3, event_dims=1), event_shape=(3,)).double()
    off_start(flow.base)

    def drawn(*parameters: Tensor) -> tuple[Tensor, Tensor]:
        torch.manual_seed(0)
        density = FlowDistribution(flow)
        x = density.rsample((2,))
        return x, density.log_prob(x)

    assert torch.autograd.gradcheck(drawn, tuple(flow.parameters()), fast_mode=True)


def test_the_gradient_of_an_expectation() -> None:
    # E[sum x^2] is |shift|^2 + |scale|^2: its gradient is known.
    flow = affine_flow()
    torch.manual_seed(0)
    x = FlowDistribution(flow).rsample((40_000,))
    x.square().sum(-1).mean().backward()
    # Standard errors of the means are at most 2 |scale|^2 * sqrt(2 / 40000) = 0.13 here.
    torch.testing.assert_close(flow.bijector.shift.grad, 2 * LOCATION, rtol=0, atol=0.5)
    torch.testing.assert_close(flow.bijector.log_scale.grad, 2 * SCALES**2, rtol=0, atol=0.5)


class Rejecting(StandardNormal):
    has_rsample = False


@pytest.mark.parametrize(
    "base",
    [
        Rejecting(),
        Factorised([StandardNormal(), Rejecting()]),
        ClassConditional([StandardNormal(), Rejecting()]),
        Mixture([StandardNormal(), StandardNormal()]),
        Resampled(StandardNormal(), nn.Linear(3, 1)),
        FromTorch(torch.distributions.VonMises, loc=torch.zeros(3), concentration=torch.ones(3)),
    ],
    ids=["own", "factorised", "class_conditional", "mixture", "resampled", "torch"],
)
def test_incomplete_gradients_are_refused(base: Distribution[Any]) -> None:
    density = FlowDistribution(Flow(couplings(3), base, (3,)))
    assert not density.has_rsample
    with pytest.raises(NotImplementedError, match="use sample"):
        density.rsample()


def test_shapes_that_do_not_fit_are_named() -> None:
    with pytest.raises(ValueError, match="event_shape="):
        FlowDistribution(Flow(Squeeze(), StandardNormal(event_dims=3)))
    with pytest.raises(ValueError, match=r"events have 3 dimensions, event_shape is \(4, 4\)"):
        FlowDistribution(Flow(Squeeze(), StandardNormal(event_dims=3)), event_shape=(4, 4))
    with pytest.raises(ValueError, match=r"divisible by 2"):
        FlowDistribution(Flow(Squeeze(), StandardNormal(event_dims=3)), event_shape=(1, 3, 4))
    with pytest.raises(ValueError, match="right-most size"):
        FlowDistribution(affine_flow(), validate_args=True).log_prob(torch.zeros(4, 2))


# --- labels ---------------------------------------------------------------------------------------------------------


def class_flow() -> Flow:
    classes = [Gaussian(3, event_dims=1) for _ in range(2)]
    for seed, one in enumerate(classes):
        off_start(one, seed)
    return Flow(couplings(3), ClassConditional(classes), event_shape=(3,)).double()


def test_a_label_makes_the_batch() -> None:
    flow = class_flow()
    label = torch.tensor([0, 1, 1, 0])
    density = FlowDistribution(flow, label=label)
    assert density.batch_shape == (4,)
    x = density.sample((5,))
    for i in range(4):
        close(density.log_prob(x)[:, i], flow.log_prob(x[:, i], label=label[i].expand(5)))
    assert FlowDistribution(flow, label=torch.tensor(1)).sample((2,)).shape == (2, 3)
    whole = FlowDistribution(flow, label=1)
    close(whole.log_prob(x), FlowDistribution(flow, label=torch.tensor(1)).log_prob(x))


def test_context_and_label_broadcast() -> None:
    flow = Flow(conditional(3, context=2), class_flow().base, event_shape=(3,)).double()
    context = torch.randn(5, 1, 2, dtype=torch.float64)
    label = torch.tensor([0, 1])
    density = FlowDistribution(flow, context, label)
    assert density.batch_shape == (5, 2)
    x = density.sample()
    close(density.log_prob(x)[3, 1], flow.log_prob(x[3, 1][None], context[3], label[1:])[0])


def test_a_base_distribution_is_a_torch_distribution() -> None:
    gaussian = Gaussian(3, event_dims=1)
    off_start(gaussian)
    view = BaseDistribution(gaussian, (3,))
    expected = torch.distributions.MultivariateNormal(gaussian.mean, scale_tril=gaussian.cholesky)
    z = torch.randn(2, 5, 3, dtype=torch.float64)
    close(view.log_prob(z), expected.log_prob(z))
    assert view.rsample((4,)).shape == (4, 3)
    labelled = BaseDistribution(class_flow().base, (3,), label=torch.tensor([0, 1]))
    assert labelled.batch_shape == (2,)
    assert labelled.sample((4,)).shape == (4, 2, 3)
    close(labelled.log_prob(z[:, :2])[0, 1], class_flow().base.log_prob(z[0, 1], torch.tensor(1)))
    with pytest.raises(ValueError, match="one of single tensors"):
        BaseDistribution(StandardNormal(), ((3,), (2,)))


def test_a_base_under_a_view_of_the_bijector_is_the_flow() -> None:
    flow = Flow(couplings(3), Gaussian(3, event_dims=1), event_shape=(3,)).double()
    off_start(flow.base)
    density = TransformedDistribution(BaseDistribution(flow.base, (3,)), [BijectorTransform(flow.bijector).inv])
    x = torch.randn(4, 3, dtype=torch.float64)
    close(density.log_prob(x), flow.log_prob(x))


def test_views_can_be_pickled() -> None:
    density = FlowDistribution(conditional_flow(), torch.randn(4, 2, dtype=torch.float64))
    x = torch.randn(4, 3, dtype=torch.float64)
    close(pickle.loads(pickle.dumps(density)).log_prob(x), density.log_prob(x))


def test_the_support_of_a_base_is_its_own() -> None:
    box = BaseDistribution(Uniform(0.0, torch.tensor([1.0, 2.0])), (2,))
    assert box.support.event_dim == 1
    assert box.support.check(torch.tensor([[0.5, 1.5], [1.5, 0.5]])).tolist() == [True, False]
    positive = BaseDistribution(FromTorch(Gamma, concentration=torch.ones(3), rate=torch.ones(3)), (3,))
    assert positive.support.event_dim == 1
    assert positive.support.check(torch.tensor([[1.0, 2.0, 3.0], [1.0, -2.0, 3.0]])).tolist() == [True, False]
    simplex = BaseDistribution(FromTorch(Dirichlet, concentration=torch.ones(3)), (3,))
    assert simplex.support.check(torch.tensor([[0.5, 0.25, 0.25], [0.5, 0.5, 0.5]])).tolist() == [True, False]


def test_other_types_are_refused() -> None:
    with pytest.raises(TypeError, match=r"takes a flowkit.Flow, got Exponential: .* Flow\(bijector, base\)"):
        FlowDistribution(Exponential())  # type: ignore[arg-type]
