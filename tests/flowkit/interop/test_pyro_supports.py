"""NUTS samples flows over positive numbers, the simplex, circles and others: Pyro goes by their constraints."""

from collections.abc import Callable, Iterator

import pyro
import pytest
import torch
from pyro.infer import MCMC, NUTS
from pyro.infer.mcmc.util import initialize_model
from torch import Tensor
from torch.distributions import biject_to

from flowkit import Chain, Flow, LULinear, StandardNormal
from flowkit.bijectors import Box, Concatenate, FixedAffine, Moebius, Ordered, Positive, StickBreaking
from flowkit.distributions import UniformSphere
from flowkit.interop.pyro import FlowDistribution
from flowkit.models.named.cylindrical_nsf import cylindrical_nsf
from flowkit.models.named.ncsf import ncsf
from flowkit.testing.subject import perturb

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning", "ignore::FutureWarning")


@pytest.fixture(autouse=True)
def _clean() -> Iterator[None]:
    pyro.clear_param_store()
    pyro.set_rng_seed(0)
    yield
    # Pyro switches it off behind itself.
    torch.distributions.Distribution.set_default_validate_args(__debug__)
    pyro.clear_param_store()


def normal_on(support: torch.nn.Module, features: int, shape: tuple[int, ...]) -> Flow:
    layers = [support, FixedAffine(0.5, 0.7), LULinear(features)]
    return Flow(Chain(layers), StandardNormal(), shape).double().eval()  # type: ignore[arg-type]


def circle() -> Flow:
    torch.manual_seed(1)
    flow = ncsf(1, layers=1, bins=4).double().eval()
    perturb(flow, 1.0)
    return flow


def cylinder() -> Flow:
    torch.manual_seed(1)
    flow = cylindrical_nsf(1, 2, layers=1, bins=4).double().eval()
    perturb(flow, 0.5)
    return flow


FLOWS: dict[str, Callable[[], Flow]] = {
    "positive": lambda: normal_on(Positive(), 2, (2,)),
    "simplex": lambda: normal_on(StickBreaking(), 2, (3,)),
    "box": lambda: normal_on(Box(torch.tensor([-1.0, 2.0]), torch.tensor([3.0, 2.5])), 2, (2,)),
    "circle": circle,
    "circle beside real numbers": cylinder,
    "ordered": lambda: normal_on(Ordered(), 3, (3,)),
    "mixed": lambda: normal_on(Concatenate([Positive(), StickBreaking()], [1, 2]), 2, (3,)),
}


def prepared(name: str) -> tuple[Flow, Callable[[], Tensor]]:
    flow = FLOWS[name]().requires_grad_(False)
    return flow, lambda: pyro.sample("x", FlowDistribution(flow))


@pytest.mark.parametrize("name", FLOWS)
def test_the_potential_is_the_density_of_unconstrained_numbers(name: str) -> None:
    flow, model = prepared(name)
    initial, potential, transforms, _ = initialize_model(model)
    u = torch.randn_like(initial["x"])
    onto = transforms["x"].inv
    x = onto(u)
    log_det = torch.as_tensor(onto.log_abs_det_jacobian(u, x)).sum()
    torch.testing.assert_close(potential({"x": u}), -(flow.log_prob(x) + log_det))
    # Far out, where the map onto the support saturates, there is a number as well.
    far = potential({"x": torch.full_like(u, -30.0 if name == "ordered" else -60.0)})
    assert not far.isnan()


@pytest.mark.parametrize("name", ["positive", "mixed"])
@pytest.mark.parametrize("far", [-200.0, 200.0])
def test_a_sampler_in_float32_turns_back_where_numbers_end(name: str, far: float) -> None:
    flow = FLOWS[name]().float().requires_grad_(False)
    initial, potential, _, _ = initialize_model(lambda: pyro.sample("x", FlowDistribution(flow)))
    # Where exponentials are 0 or infinite. NUTS ends a trajectory there; an error would end the chain. As in a chain,
    # nothing is validated. To NUTS, nan is as high as infinity.
    with pyro.validation_enabled(False):
        assert potential({"x": torch.full_like(initial["x"], far)}).nan_to_num(nan=torch.inf) > 1e3


def test_off_the_support_the_density_is_zero_where_nothing_is_checked() -> None:
    flow = FLOWS["positive"]()
    x = torch.tensor([[-1.0, 1.0], [1.0, 2.0], [1e-320, 1.0]], dtype=torch.float64, requires_grad=True)
    log_prob = FlowDistribution(flow, validate_args=False).log_prob(x)
    assert log_prob.isneginf().tolist() == [True, False, True]
    torch.testing.assert_close(log_prob[1], flow.log_prob(x[1]))
    (gradient,) = torch.autograd.grad(log_prob[1], x)
    assert gradient.isfinite().all()


def test_no_map_leads_onto_a_sphere() -> None:
    flow = Flow(Moebius(3), UniformSphere(), (3,))
    with pytest.raises(NotImplementedError, match=r"no map is known .* onto vectors of length 1"):
        biject_to(FlowDistribution(flow).support)


@pytest.mark.parametrize("name", ["positive", "simplex", "circle"])
def test_nuts_samples_it(name: str) -> None:
    flow, model = prepared(name)
    mcmc = MCMC(NUTS(model, max_tree_depth=4), num_samples=25, warmup_steps=15, disable_progbar=True)
    mcmc.run()
    x = mcmc.get_samples()["x"]
    assert FlowDistribution(flow).support.check(x).all()
    assert len(x.unique(dim=0)) > 15
    # Draws of a density, not of its tails: their mean is within a nat of that of exact ones (of standard deviation 1).
    exact = flow.log_prob(flow.sample(500)).mean()
    assert (flow.log_prob(x).mean() - exact).abs() < 1
