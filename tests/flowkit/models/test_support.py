"""Named models of data on supports."""

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Dirichlet, LKJCholesky

import flowkit
from flowkit.bijector import Bijector
from flowkit.bijectors import (
    Box,
    Concatenate,
    CorrelationCholesky,
    Identity,
    Moebius,
    Ordered,
    Positive,
    SoftmaxCentred,
    SphereToCylinder,
    Stereographic,
    StickBreaking,
)
from flowkit.interop.torch_distributions import FlowDistribution
from flowkit.models.recipe import recipe_of

MODELS: dict[str, dict[str, Any]] = {
    "naf": {"layers": 1, "units": 2, "depth": 1},
    "unaf": {"layers": 1, "integrand": (4,)},
    "sospf": {"layers": 1},
    "bpf": {"layers": 1, "degree": 4},
    "gaussianization": {"layers": 2, "components": 2},
    "maf": {"layers": 1},
    "iaf": {"layers": 1},
    "nsf": {"layers": 1, "autoregressive": True},
    "realnvp": {"layers": 2},
    "nice": {"layers": 3},
    "residual": {"blocks": 1},
    "ffjord": {"steps": 4},
    "flow_matching": {"steps": 4},
}


def draws(number: int) -> dict[str, tuple[Bijector[Any, Any], Tensor]]:
    """Supports, and data on them."""
    torch.manual_seed(0)
    normal = torch.randn(number, 3)
    return {
        "positive": (Positive(), (5 + normal).exp()),
        "box": (
            Box(torch.tensor([0.0, -1.0, 10.0]), torch.tensor([1.0, 1.0, 20.0])),
            torch.rand(number, 3).mul(torch.tensor([1.0, 2.0, 10.0])).add(torch.tensor([0.0, -1.0, 10.0])).clamp(1e-3),
        ),
        "ordered": (Ordered(), normal.sort(-1).values),
        "stick-breaking": (StickBreaking(), Dirichlet(torch.tensor([2.0, 3.0, 4.0])).sample((number,))),
        "softmax": (SoftmaxCentred(), Dirichlet(torch.tensor([2.0, 3.0, 4.0])).sample((number,))),
        "correlation": (CorrelationCholesky(), LKJCholesky(3).sample((number,))),
        "unit vectors": (Stereographic(), torch.nn.functional.normalize(normal, dim=-1)),
        "mixed": (
            Concatenate([Positive(), Identity()], [1, 2]),
            torch.cat([normal[:, :1].exp(), normal[:, 1:]], -1),
        ),
    }


@pytest.mark.parametrize("name", draws(1))
def test_samples_lie_on_the_support_and_standardised_data_are_standard(name: str) -> None:
    support, data = draws(200)[name]
    flow = flowkit.iaf(3, layers=1, hidden=(8,), support=support, standardize=data)
    assert flow.event_shape == tuple(data.shape[1:])
    density = FlowDistribution(flow)
    samples = density.sample((20,))
    assert samples.shape == (20, *data.shape[1:])
    assert density.support.check(samples).all()
    z, _ = flow.bijector(data)
    # A new iaf is the identity: what is left is the standardisation.
    assert z.mean(0).abs().max() < 1e-3
    assert (z.std(0) - 1).abs().max() < 0.01
    assert flow.log_prob(data).isfinite().all()


@pytest.mark.parametrize("model", MODELS)
def test_every_model_of_vectors_takes_a_support(model: str) -> None:
    _, data = draws(30)["stick-breaking"]
    torch.manual_seed(0)
    flow = flowkit.create_model(model, features=3, hidden=(8,), support=StickBreaking(), **MODELS[model])
    assert isinstance(flow, flowkit.Flow)
    samples = flow.sample(5)
    assert samples.shape == (5, 3)
    torch.testing.assert_close(samples.sum(-1), torch.ones(5))
    assert flow.log_prob(data).shape == (30,)


def test_a_folder_keeps_the_support(tmp_path: Path) -> None:
    support, data = draws(50)["box"]
    flow = flowkit.nsf(3, layers=1, hidden=(8,), support=support, standardize=data)
    assert recipe_of(flow) is not None
    flowkit.save_model(flow, tmp_path / "model")
    loaded = flowkit.load_model(tmp_path / "model")
    assert torch.equal(loaded.log_prob(data), flow.eval().log_prob(data))  # type: ignore[operator]
    assert loaded.event_shape == (3,)


@pytest.mark.parametrize(
    ("support", "error", "message"),
    [
        (StickBreaking, TypeError, "support takes a bijector, got the class StickBreaking"),
        ("simplex", TypeError, "support takes a bijector, got str"),
        (Moebius(3), ValueError, "support is a Moebius, which does not give vectors of real numbers"),
        (SphereToCylinder(), ValueError, "which does not give vectors of real numbers"),
        (Concatenate([Positive()], [2]), ValueError, r"blocks of \[2\], 2 in all, got the event shape \(3,\)"),
    ],
)
def test_what_is_no_support_is_refused(support: Any, error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        flowkit.maf(3, support=support)


def test_too_few_numbers_for_couplings() -> None:
    with pytest.raises(ValueError, match=r"StickBreaking of 2 features leaves 1 real numbers, .*need 2: take a model"):
        flowkit.nsf(2, support=StickBreaking())
    assert flowkit.nsf(2, support=StickBreaking(), autoregressive=True).sample(3).shape == (3, 2)


def test_data_off_the_support_are_refused_when_standardising() -> None:
    with pytest.raises(ValueError, match="positive numbers that sum to 1"):
        flowkit.maf(3, support=StickBreaking(), standardize=torch.full((10, 3), 0.3))


@pytest.mark.parametrize("support", [StickBreaking(), Positive()], ids=["simplex", "positive"])
def test_a_flow_finds_a_density(support: Bijector[Any, Any]) -> None:
    """Maximum likelihood on data of a known density comes near its entropy."""
    torch.manual_seed(0)
    known = (
        Dirichlet(torch.tensor([6.0, 3.0, 2.0]))
        if isinstance(support, StickBreaking)
        else torch.distributions.Independent(torch.distributions.Gamma(torch.tensor([3.0, 1.5]), 2.0), 1)
    )
    data = known.sample((2000,))
    flow = flowkit.nsf(data.shape[1], layers=1, hidden=(8,), bins=4, support=support, standardize=data)
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.02)
    for _ in range(25):
        optimizer.zero_grad()
        (-flow.log_prob(data[torch.randint(2000, (200,))]).mean()).backward()
        optimizer.step()
    fresh = known.sample((4000,))
    # Within 0.05 nats after so few steps; a wrong Jacobian is off by several tenths.
    gap = (known.log_prob(fresh) - flow.log_prob(fresh)).mean()
    assert -0.02 < gap < 0.05
