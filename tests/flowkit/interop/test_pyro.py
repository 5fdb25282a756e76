"""Flows in Pyro: models, guides, plates, and parameters that train."""

import math
from collections.abc import Iterator
from typing import Any

import pyro
import pyro.distributions as dist
import pytest
import torch
from pyro.distributions import transforms
from pyro.infer import MCMC, NUTS, SVI, Predictive, Trace_ELBO, TraceMeanField_ELBO
from pyro.infer.autoguide import AutoNormalizingFlow
from pyro.nn import PyroModule
from torch import Tensor, nn
from torch.distributions.transforms import StickBreakingTransform

from flowkit import Chain, Coupling, Elementwise, Flow, Gaussian, Injector, Inverse, Log, StandardNormal
from flowkit.interop.pyro import BaseDistribution, BijectorTransform, FlowDistribution
from flowkit.interop.torch_transforms import FromTorchTransform
from flowkit.testing import run_checks
from tests.flowkit.interop.flows import Reversed, Scale, conditional, couplings, image_flow

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    pyro.clear_param_store()
    pyro.set_rng_seed(0)
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)
    # Pyro switches it off behind itself.
    torch.distributions.Distribution.set_default_validate_args(__debug__)
    pyro.clear_param_store()


def flow_of(features: int = 3) -> Flow:
    return Flow(couplings(features), StandardNormal(), event_shape=(features,)).double()


# --- sites ----------------------------------------------------------------------------------------------------------


def test_a_flow_is_a_site() -> None:
    flow = flow_of()
    trace = pyro.poutine.trace(lambda: pyro.sample("x", FlowDistribution(flow))).get_trace()
    x = trace.nodes["x"]["value"]
    assert x.shape == (3,)
    torch.testing.assert_close(trace.log_prob_sum(), flow.log_prob(x[None])[0])


def test_plates_widen_the_batch() -> None:
    flow = flow_of()

    def model() -> Tensor:
        with pyro.plate("rows", 4), pyro.plate("columns", 5, dim=-2):
            return pyro.sample("x", FlowDistribution(flow))

    trace = pyro.poutine.trace(model).get_trace()
    trace.compute_log_prob()
    x = trace.nodes["x"]["value"]
    assert x.shape == (5, 4, 3)
    assert trace.nodes["x"]["log_prob"].shape == (5, 4)
    assert x.flatten(0, 1).unique(dim=0).shape == (20, 3)
    torch.testing.assert_close(trace.nodes["x"]["log_prob"][2, 3], flow.log_prob(x[2, 3][None])[0])


def test_a_context_in_a_plate() -> None:
    flow = Flow(conditional(3, context=2), StandardNormal(), event_shape=(3,)).double()
    context = torch.randn(4, 2)

    def model() -> Tensor:
        with pyro.plate("rows", 4):
            return pyro.sample("x", FlowDistribution(flow, context))

    particles = pyro.poutine.trace(pyro.plate("particles", 6, dim=-2)(model)).get_trace()
    particles.compute_log_prob()
    x = particles.nodes["x"]["value"]
    assert x.shape == (6, 4, 3)
    expected = flow.log_prob(x[:, 1], context[1:2])
    torch.testing.assert_close(particles.nodes["x"]["log_prob"][:, 1], expected)


def test_images_masks_and_events() -> None:
    density = FlowDistribution(image_flow())
    assert density.expand_by((3,)).batch_shape == (3,)
    assert density().shape == (1, 4, 4)
    joint = density.expand((2, 3)).to_event(1)
    assert joint.batch_shape == (2,)
    assert joint.event_shape == (3, 1, 4, 4)
    x = joint()
    masked = density.expand((2, 3)).mask(torch.tensor([True, False, True]))
    log_prob = masked.log_prob(x)
    assert (log_prob != 0).tolist() == [[True, False, True]] * 2
    torch.testing.assert_close(joint.log_prob(x), density.log_prob(x).sum(-1))


def test_pyro_s_transforms_go_on_top_and_under() -> None:
    flow = flow_of()
    density = dist.TransformedDistribution(FlowDistribution(flow), [transforms.ExpTransform()])
    x = pyro.sample("x", density)
    torch.testing.assert_close(density.log_prob(x), flow.log_prob(x.log()[None])[0] - x.log().sum())
    learned = dist.TransformedDistribution(
        BaseDistribution(Gaussian(3, event_dims=1).double(), (3,)), [BijectorTransform(couplings(3)).inv]
    )
    assert pyro.sample("y", learned).shape == (3,)


@pytest.mark.parametrize(
    "transform",
    [
        lambda: transforms.affine_coupling(3, [8]),
        lambda: transforms.affine_autoregressive(3, [8]),
        lambda: transforms.spline(3),
        lambda: transforms.spline_coupling(3, hidden_dims=[8]),
        lambda: transforms.permute(3),
        lambda: transforms.generalized_channel_permute(channels=3),
        lambda: transforms.householder(3),
        lambda: transforms.leaky_relu(),
    ],
    ids=[
        "coupling",
        "autoregressive",
        "spline",
        "spline_coupling",
        "permute",
        "channels",
        "householder",
        "leaky_relu",
    ],
)
def test_pyro_s_flows_are_bijectors(transform: Any) -> None:
    made = transform()
    bijector = FromTorchTransform(made)
    assert len(list(bijector.parameters())) == (len(list(made.parameters())) if isinstance(made, nn.Module) else 0)
    shape = (2, 3, 4, 4) if bijector.event_dims == 3 else (2, 3)
    x = torch.randn(shape)
    z, log_det = bijector(x)
    back, log_det_back = bijector.inverse(z)
    assert log_det.shape == (2,)
    # Pyro's splines find a root in float64, the others are closed forms.
    torch.testing.assert_close(back, x, rtol=1e-6, atol=1e-6)
    torch.testing.assert_close(log_det, -log_det_back, rtol=1e-6, atol=1e-6)
    jacobian = torch.autograd.functional.jacobian(lambda v: bijector(v)[0], x[:1])
    assert isinstance(jacobian, Tensor)
    size = x[0].numel()
    expected = torch.linalg.slogdet(jacobian.reshape(size, size)).logabsdet
    torch.testing.assert_close(log_det[0], expected, rtol=1e-6, atol=1e-6)


def test_a_bijector_that_went_through_pyro_keeps_the_contract() -> None:
    torch.set_default_dtype(torch.float32)
    run_checks(lambda: FromTorchTransform(BijectorTransform(couplings(3))), event=(3,), seeds=(0,)).raise_for_failures()


# --- inference ------------------------------------------------------------------------------------------------------

# Linear-Gaussian: z ~ N(0, 1) in two dimensions, y = A z + noise. Posterior and evidence have closed forms.
DESIGN = torch.tensor([[1.0, 0.5], [0.0, 1.5], [1.0, -1.0]], dtype=torch.float64)
NOISE = 0.5
OBSERVED = torch.tensor([1.2, 0.4, -0.3], dtype=torch.float64)
PRECISION = torch.eye(2, dtype=torch.float64) + DESIGN.T @ DESIGN / NOISE**2
COVARIANCE = PRECISION.inverse()
MEAN = COVARIANCE @ DESIGN.T @ OBSERVED / NOISE**2
EVIDENCE = torch.distributions.MultivariateNormal(
    torch.zeros(3, dtype=torch.float64), DESIGN @ DESIGN.T + NOISE**2 * torch.eye(3, dtype=torch.float64)
).log_prob(OBSERVED)


def model() -> None:
    z = pyro.sample("z", dist.Normal(torch.zeros(2), 1.0).to_event(1))
    location = (DESIGN @ z[..., None])[..., 0]
    pyro.sample("y", dist.Normal(location, NOISE).to_event(1), obs=OBSERVED)


def gaussian_flow() -> Flow:
    # An affine map of z_1 alone and one of z_2 given z_1 reach every Gaussian.
    conditioner = nn.Linear(1, 2)
    nn.init.zeros_(conditioner.weight)
    nn.init.zeros_(conditioner.bias)
    layers = [Coupling(2, conditioner, event_dims=1), Scale([0.0, 0.0], [1.0, 1.0])]
    return Flow(Inverse(Chain(layers)), StandardNormal(), event_shape=(2,)).double()


def fit(model: Any, guide: Any, loss: Any, *args: Any, steps: int = 250) -> SVI:
    # The rate falls a hundredfold, which leaves little of the noise of the last steps.
    svi = SVI(model, guide, pyro.optim.ClippedAdam({"lr": 0.08, "lrd": 0.01 ** (1 / steps)}), loss)
    for _ in range(steps):
        svi.step(*args)
    return svi


def check_bound(guide: Any) -> None:
    # The family contains the posterior: at the optimum the bound is the evidence. What is left, the divergence from
    # the posterior, is what the steps leave; the mean of 5000 particles is good to some 0.005.
    bound = -Trace_ELBO(num_particles=5000, vectorize_particles=True, max_plate_nesting=0).loss(model, guide)
    assert bound == pytest.approx(EVIDENCE.item(), abs=0.04)


def check_posterior(guide: Any) -> None:
    check_bound(guide)
    samples = Predictive(guide, num_samples=20_000, parallel=True, return_sites=("z",))()["z"].squeeze().detach()
    assert samples.shape == (20_000, 2)
    # Standard errors of 0.003, and some 0.02 that the noise of the steps leaves; the guide starts ten times as far.
    torch.testing.assert_close(samples.mean(0), MEAN, rtol=0, atol=0.05)
    torch.testing.assert_close(samples.T.cov(), COVARIANCE, rtol=0, atol=0.02)


@pytest.mark.parametrize("loss", [Trace_ELBO, TraceMeanField_ELBO], ids=["trace", "mean_field"])
def test_a_flow_guide_finds_a_known_posterior(loss: type[Any]) -> None:
    flow = gaussian_flow()

    def guide() -> None:
        pyro.module("posterior", flow)
        pyro.sample("z", FlowDistribution(flow))

    fit(model, guide, loss(num_particles=32, vectorize_particles=True, max_plate_nesting=0))
    check_posterior(guide)
    assert {name.partition("$$$")[0] for name in pyro.get_param_store()} == {"posterior"}
    assert len(pyro.get_param_store()) == len(list(flow.parameters()))


def test_a_flow_in_a_pyro_module_trains() -> None:
    class Guide(PyroModule):
        def __init__(self) -> None:
            super().__init__()
            self.flow = gaussian_flow()

        def forward(self) -> Tensor:
            return pyro.sample("z", FlowDistribution(self.flow))

    guide = Guide()
    before = [parameter.detach().clone() for parameter in guide.parameters()]
    fit(model, guide, Trace_ELBO(num_particles=32, vectorize_particles=True, max_plate_nesting=0))
    assert all(not torch.equal(a, b) for a, b in zip(before, guide.parameters(), strict=True))
    assert len(pyro.get_param_store()) == len(before)
    check_posterior(guide)


def test_pyro_s_own_flow_guide_takes_a_bijector() -> None:
    def transform(latent: int) -> BijectorTransform:
        assert latent == 2
        # Pyro's guide generates: from its base distribution to the latent variables.
        return BijectorTransform(Inverse(gaussian_flow().bijector), cache_size=1)

    guide = AutoNormalizingFlow(model, transform)
    fit(model, guide, Trace_ELBO(num_particles=32, vectorize_particles=True, max_plate_nesting=0))
    assert len(list(guide.parameters())) == 4
    check_bound(guide)


def test_an_amortised_guide_in_a_plate() -> None:
    # x_i ~ N(z_i, 0.5^2) with z_i ~ N(0, 1): the posterior of z_i is N(0.8 x_i, 0.2), for every i.
    data = torch.linspace(-2, 2, 12)[:, None]
    conditioner = nn.Linear(1, 2)
    nn.init.zeros_(conditioner.weight)
    nn.init.zeros_(conditioner.bias)
    flow = Flow(Inverse(Injector(1, conditioner, event_dims=1)), StandardNormal(), event_shape=(1,)).double()

    def local_model(data: Tensor) -> None:
        with pyro.plate("data", len(data), subsample_size=6) as index:
            z = pyro.sample("z", dist.Normal(torch.zeros(1), 1.0).to_event(1))
            pyro.sample("x", dist.Normal(z, 0.5).to_event(1), obs=data[index])

    def local_guide(data: Tensor) -> None:
        pyro.module("posterior", flow)
        with pyro.plate("data", len(data), subsample_size=6) as index:
            pyro.sample("z", FlowDistribution(flow, data[index]))

    fit(local_model, local_guide, Trace_ELBO(num_particles=4, vectorize_particles=True, max_plate_nesting=1), data)
    drawn = FlowDistribution(flow, data).sample((10_000,))
    # Standard errors of 0.005 for the means; what the noise of subsampling leaves is as small.
    torch.testing.assert_close(drawn.mean(0), 0.8 * data, rtol=0, atol=0.05)
    torch.testing.assert_close(drawn.var(0), torch.full_like(data, 0.2), rtol=0, atol=0.04)


def test_a_flow_as_the_likelihood_of_data() -> None:
    flow = Flow(Chain([couplings(2), Reversed()]), StandardNormal(), event_shape=(2,)).double()
    data = torch.randn(50, 2) * torch.tensor([0.5, 2.0]) + torch.tensor([3.0, -1.0])

    def density(data: Tensor) -> None:
        pyro.module("flow", flow)
        with pyro.plate("data", len(data)):
            pyro.sample("x", FlowDistribution(flow), obs=data)

    loss = Trace_ELBO()
    start = loss.loss(density, lambda data: None, data)
    assert start == pytest.approx(-flow.log_prob(data).sum().item(), rel=1e-10)
    svi = fit(density, lambda data: None, loss, data)
    # Maximum likelihood: as good as the best Gaussian, which the couplings contain, or better.
    gaussian = torch.distributions.MultivariateNormal(data.mean(0), data.T.cov(correction=0))
    assert svi.evaluate_loss(data) < -gaussian.log_prob(data).sum().item() + 0.5
    assert svi.evaluate_loss(data) < start - 50
    assert math.isfinite(start)


# --- sampling by Hamiltonian dynamics -------------------------------------------------------------------------------


def draws(flow: Flow, count: int) -> Tensor:
    kernel = NUTS(lambda: pyro.sample("x", FlowDistribution(flow)))
    sampler = MCMC(kernel, num_samples=count, warmup_steps=100, disable_progbar=True)
    sampler.run()
    return sampler.get_samples()["x"]


def test_nuts_samples_a_flow_over_positive_numbers() -> None:
    mean, std = torch.tensor([0.5, -0.3]), torch.tensor([0.4, 0.8])
    layers = [Elementwise(Log()), Scale(mean.tolist(), std.tolist())]
    x = draws(Flow(Chain(layers), StandardNormal(), event_shape=(2,)), count=400)
    assert (x > 0).all()
    # Log-normal. The standard error of a mean of 400 independent draws is 0.05 std, of a deviation 0.035 std.
    torch.testing.assert_close(x.log().mean(0), mean, rtol=0, atol=0.2 * 0.8)
    torch.testing.assert_close(x.log().std(0), std, rtol=0.2, atol=0)


def test_nuts_samples_a_flow_over_the_simplex() -> None:
    bijector = FromTorchTransform(StickBreakingTransform().inv)
    flow = Flow(bijector, StandardNormal(), event_shape=(3,))
    x = draws(flow, count=300)
    torch.testing.assert_close(x.sum(-1), torch.ones(300))
    latent = bijector(x)[0]
    # The latents are standard normal: the standard error of a mean is 0.06, of a deviation 0.04.
    torch.testing.assert_close(latent.mean(0), torch.zeros(2), rtol=0, atol=0.25)
    torch.testing.assert_close(latent.std(0), torch.ones(2), rtol=0.2, atol=0)
