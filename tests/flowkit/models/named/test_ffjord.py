import builtins
import sys

import pytest
import torch

from flowkit import Checkpointed, Stored, use_activations
from flowkit.bijectors import Activations
from flowkit.models.named.ffjord import ffjord
from tests.flowkit.models.settings import data, ready


def test_equal_steps_come_near_the_adaptive_solution() -> None:
    adaptive = ffjord(3, hidden=(8,)).double().eval()
    adaptive.load_state_dict(ready("ffjord").state_dict())
    equal = ffjord(3, hidden=(8,), steps=30).double().eval()
    equal.load_state_dict(adaptive.state_dict())
    x = data(adaptive, 4)
    torch.testing.assert_close(equal.log_prob(x), adaptive.log_prob(x), rtol=1e-6, atol=1e-6)
    drawn = [flow.sample(4, generator=torch.Generator().manual_seed(0)) for flow in (equal, adaptive)]
    torch.testing.assert_close(drawn[0], drawn[1], rtol=1e-6, atol=1e-6)


def test_the_adaptive_solution_trains() -> None:
    flow = ffjord(2, hidden=(8,))
    x = torch.randn(32, 2, generator=torch.Generator().manual_seed(0)).abs()
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.02)
    before = flow.log_prob(x).mean().item()
    for _ in range(5):
        optimizer.zero_grad()
        (-flow.log_prob(x).mean()).backward()
        optimizer.step()
    assert flow.log_prob(x).mean().item() > before + 0.01


def test_the_estimate_is_taken_in_training_alone() -> None:
    flow = ready("ffjord_estimated")
    x = data(flow, 5)
    exact = flow.log_prob(x)
    assert torch.equal(flow.log_prob(x), exact)
    flow.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        draws = torch.stack([flow.log_prob(x).detach() for _ in range(100)])
    # Five standard errors of an unbiased estimate, whose deviation may be nought for a diagonal field.
    assert ((draws.mean(0) - exact).abs() < 5 * draws.std(0) / 100**0.5 + 1e-12).all()
    assert draws.std(0).max() > 0


@pytest.mark.parametrize("steps", [None, 4])
def test_an_empty_batch_is_scored_and_drawn(steps: int | None) -> None:
    flow = ffjord(2, hidden=(8,), steps=steps)
    assert flow.log_prob(torch.zeros(0, 2)).shape == (0,)
    assert flow.sample(0).shape == (0, 2)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.filterwarnings("ignore:Dynamo does not know how to trace")
@pytest.mark.parametrize("steps", [None, 2])
@pytest.mark.parametrize("activations", [Stored(), Checkpointed()], ids=lambda a: type(a).__name__)
def test_compiled_it_has_the_same_gradients(steps: int | None, activations: Activations) -> None:
    torch.manual_seed(0)
    flow = ffjord(2, hidden=(4,), steps=steps).double()
    use_activations(flow, activations)
    x = torch.randn(3, 2, dtype=torch.float64)
    expected = torch.autograd.grad(flow.log_prob(x).sum(), list(flow.parameters()))
    torch.compiler.reset()
    # The adaptive solver's steps depend on values: it leaves the graph.
    compiled = torch.compile(flow.log_prob, backend="eager", fullgraph=steps is not None)
    got = torch.autograd.grad(compiled(x).sum(), list(flow.parameters()))
    torch.testing.assert_close(got, expected, rtol=1e-10, atol=1e-12)


def test_equal_steps_are_mapped() -> None:
    flow = ready("ffjord")
    x = data(flow, 5)
    torch.testing.assert_close(torch.func.vmap(flow.log_prob)(x), flow.log_prob(x))


def test_invalid_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="steps is 0; it must be at least 1"):
        ffjord(2, steps=0)
    with pytest.raises(ValueError, match="hidden"):
        ffjord(2, hidden=(), steps=3)


def test_without_torchdiffeq_equal_steps_still_work(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: object, **kwargs: object) -> object:
        if name.partition(".")[0] == "torchdiffeq":
            raise ImportError(name)
        return real(name, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(builtins, "__import__", without)
    monkeypatch.delitem(sys.modules, "torchdiffeq", raising=False)
    with pytest.raises(ImportError, match=r'pip install "flowkit-core\[ode\]"'):
        ffjord(2)
    assert ffjord(2, steps=3).log_prob(torch.zeros(1, 2)).shape == (1,)
