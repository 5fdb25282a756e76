"""Whether an actnorm is initialised is one state, its buffer, however that is set."""

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel
from torch.utils._python_dispatch import TorchDispatchMode

from flowkit import ActNorm, Chain, Flow, LULinear, StandardNormal, initialize


def flow_of_two() -> Flow:
    torch.manual_seed(0)
    parts = [ActNorm(3, event_dims=1), LULinear(3), ActNorm(3, event_dims=1)]
    return Flow(Chain(parts), StandardNormal(), event_shape=(3,)).double()


def started() -> Flow:
    flow = flow_of_two()
    initialize(flow.bijector, 5 + 2 * torch.randn(64, 3, dtype=torch.float64))
    return flow


X = torch.randn(4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))


def test_an_average_made_before_the_start_follows_the_model() -> None:
    flow = flow_of_two()
    average = AveragedModel(flow)
    initialize(flow.bijector, 5 + 2 * torch.randn(64, 3, dtype=torch.float64))
    average.update_parameters(flow)
    assert torch.equal(average.module.log_prob(X), flow.log_prob(X))
    before = copy.deepcopy(average.state_dict())
    initialize(average.module.bijector, torch.randn(64, 3, dtype=torch.float64))
    assert all(torch.equal(value, before[key]) for key, value in average.state_dict().items())


def test_numbers_copied_into_the_state_dict_count() -> None:
    source, target = started(), flow_of_two()
    with torch.no_grad():
        for key, value in target.state_dict().items():
            value.copy_(source.state_dict()[key])
    assert torch.equal(target.log_prob(X), source.log_prob(X))


def test_a_start_that_is_taken_back_is_seen() -> None:
    flow = started()
    flow.log_prob(X)
    flow.state_dict()["bijector.bijectors.0.initialized"].fill_(False)
    with pytest.raises(RuntimeError, match="not initialised"):
        flow.log_prob(X)


def test_a_functional_call_brings_its_own_state() -> None:
    source, target = started(), flow_of_two()
    state = source.bijector.state_dict()
    z, log_det = torch.func.functional_call(target.bijector, state, (X,))
    assert torch.equal(z, source.bijector(X)[0])
    assert torch.equal(log_det, source.bijector(X)[1])
    with pytest.raises(RuntimeError, match="not initialised"):
        target.log_prob(X)


def test_an_ensemble_runs_under_vmap() -> None:
    flows = [started().bijector, started().bijector]
    parameters, buffers = torch.func.stack_module_state(flows)

    def encode(parameters: dict[str, Tensor], buffers: dict[str, Tensor]) -> Tensor:
        return torch.func.functional_call(flows[0], (parameters, buffers), (X,))[0]

    together = torch.func.vmap(encode)(parameters, buffers)
    torch.testing.assert_close(together, torch.stack([flow(X)[0] for flow in flows]))


@pytest.mark.parametrize(
    "travel",
    [copy.deepcopy, lambda flow: pickle.loads(pickle.dumps(flow)), lambda flow: flow.to(torch.float32).double()],
    ids=["deepcopy", "pickle", "cast"],
)
def test_the_state_travels_both_ways(travel: Callable[[nn.Module], Any]) -> None:
    ready = started()
    ready.log_prob(X)
    assert travel(ready).log_prob(X).isfinite().all()
    with pytest.raises(RuntimeError, match="not initialised"):
        travel(flow_of_two()).log_prob(X)


def test_a_layer_made_in_inference_mode_reads_its_state() -> None:
    with torch.inference_mode():
        norm = ActNorm(3, event_dims=1)
        with pytest.raises(RuntimeError, match="not initialised"):
            norm(X.float())
        norm.mark_initialized()
        assert torch.equal(norm(X.float())[0], X.float())


class Reads(TorchDispatchMode):
    """Counts how often a number is fetched from a tensor, for which a GPU would be waited."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.count += str(func).startswith("aten._local_scalar_dense")
        return func(*args, **(kwargs or {}))


def test_the_state_is_read_once_and_not_at_each_call() -> None:
    flow = flow_of_two()
    flow.load_state_dict(started().state_dict())
    with Reads() as first:
        flow.bijector(X)
    with Reads() as later:
        flow.bijector(X)
    assert first.count > 0
    assert later.count == 0


def test_compiled_code_reads_no_state() -> None:
    flow = started()
    compiled = torch.compile(flow.bijector, backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(X)[0], flow.bijector(X)[0])


@pytest.mark.parametrize(
    ("batch", "message"),
    [
        (torch.empty(0, 3), r"empty batch of shape \(0, 3\)"),
        (torch.tensor([[1.0, torch.nan, 2.0]] * 4), "4 of 12 values NaN or infinite"),
        (torch.tensor([[1.0, torch.inf, 2.0]] * 4), "4 of 12 values NaN or infinite"),
    ],
    ids=["empty", "nan", "infinite"],
)
def test_a_batch_that_gives_no_start_is_refused(batch: Tensor, message: str) -> None:
    norm = ActNorm(3, event_dims=1)
    with pytest.raises(ValueError, match=message):
        initialize(norm, batch)
    assert not norm.is_initialized
    with pytest.raises(RuntimeError, match="not initialised"):
        norm(torch.ones(2, 3))
    assert norm.bias.isfinite().all()


def test_values_that_overflow_on_the_way_are_refused() -> None:
    first, second = ActNorm(1, event_dims=1), ActNorm(1, event_dims=1)
    with torch.no_grad():
        first.log_scale.fill_(200.0)
    first.mark_initialized()
    with pytest.raises(ValueError, match=r"ActNorm\(1\) cannot start from data of mean \[.*not finite"):
        initialize(Chain([first, second]), torch.randn(8, 1))
    assert not second.is_initialized
    assert torch.equal(second.bias, torch.zeros(1))
