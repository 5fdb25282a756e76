import math
from typing import Any

import pytest
import torch
from torch import Tensor

from flowkit.distributions.class_conditional import ClassConditional
from flowkit.distributions.diagonal_normal import DiagonalNormal
from flowkit.distributions.distribution import Distribution
from flowkit.distributions.mixture import Mixture
from flowkit.distributions.uniform import Uniform
from flowkit.testing.subject import perturb
from tests.flowkit.distributions.bases import apart


def mixture(event_dims: int = 1) -> Mixture:
    torch.manual_seed(0)
    base = Mixture([DiagonalNormal(2, event_dims) for _ in range(3)]).double()
    perturb(base, 1.0)
    return base


def normals(base: Mixture) -> list[DiagonalNormal]:
    return [component for component in base.components if isinstance(component, DiagonalNormal)]


def test_log_density_is_that_of_torch() -> None:
    base, z = mixture(), torch.randn(4, 5, 2, dtype=torch.float64)
    mean = torch.stack([component.mean for component in normals(base)])
    std = torch.stack([component.log_std.exp() for component in normals(base)])
    expected = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(logits=base.logits),
        torch.distributions.Independent(torch.distributions.Normal(mean, std), 1),
    )
    torch.testing.assert_close(base.log_prob(z), expected.log_prob(z))


def test_the_weights_start_equal_and_train() -> None:
    base = Mixture([apart(1, -3.0), apart(1, 3.0)])
    assert base.weights.tolist() == [0.5, 0.5]
    optimizer = torch.optim.Adam([base.logits], lr=0.1)
    z = torch.tensor([[-3.0], [3.0], [3.0], [3.0]])
    for _ in range(200):
        optimizer.zero_grad()
        (-base.log_prob(z).mean()).backward()
        optimizer.step()
    # The weights of the highest likelihood are the shares.
    torch.testing.assert_close(base.weights, torch.tensor([0.25, 0.75]), atol=1e-3, rtol=0)


def test_components_are_drawn_by_their_weights() -> None:
    base = Mixture([apart(1, -10.0), apart(1, 10.0)])
    with torch.no_grad():
        base.logits.copy_(torch.tensor([0.2, 0.8]).log())
    drawn = base.sample(10000, (1,), generator=torch.Generator().manual_seed(0))
    # Five standard errors.
    assert abs((drawn > 0).double().mean() - 0.8) < 5 * math.sqrt(0.16 / 10000)
    neighbours = torch.corrcoef((drawn > 0).double().squeeze(1).unfold(0, 2, 1).T)[0, 1]
    assert abs(neighbours) < 5 / 100


def test_images() -> None:
    base = mixture(3)
    assert base.log_prob(torch.randn(4, 2, 3, 3, dtype=torch.float64)).shape == (4,)
    assert base.sample(4, (2, 3, 3)).shape == (4, 2, 3, 3)
    assert base.sample(0, (2, 3, 3)).shape == (0, 2, 3, 3)


def test_density_is_zero_outside_all_supports_and_not_nan() -> None:
    base = Mixture([Uniform(0.0, 1.0), Uniform(2.0, 3.0)])
    z = torch.tensor([[0.5], [1.5]], requires_grad=True)
    scored = base.log_prob(z)
    torch.testing.assert_close(scored.detach(), torch.tensor([-math.log(2), -math.inf]))
    scored[0].backward()
    assert base.logits.grad is not None
    assert base.logits.grad.isfinite().all()


def test_the_label_goes_to_the_components() -> None:
    parts: list[Distribution[Tensor]] = [ClassConditional([apart(1, 0.0), apart(1, 50.0)]) for _ in range(2)]
    base, label = Mixture(parts), torch.tensor([0, 1])
    torch.testing.assert_close(
        base.log_prob(torch.tensor([[0.0], [50.0]]), label), base.log_prob(torch.zeros(2, 1), label * 0)
    )
    drawn: Any = base.sample(2, (1,), label, temperature=0.0)
    assert drawn.flatten().tolist() == [0.0, 50.0]


def test_no_component_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one component"):
        Mixture([])
