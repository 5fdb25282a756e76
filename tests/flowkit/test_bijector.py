from typing import Any

import pytest
import torch
from torch import Tensor, nn

from flowkit import Bijector, Chain, Inverse, sum_event
from flowkit.bijectors import BoundBijector


class ScaleByContext(Bijector[Tensor, Tensor]):
    """The smallest conditional bijector; counts how often the context is worked on."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.tensor(0.5))
        self.prepared_times = 0

    def prepare(self, context: Any) -> Any:
        self.prepared_times += 1
        return self.weight * context

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return x * prepared.exp(), sum_event(prepared.expand_as(x), self.event_dims)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return z * (-prepared).exp(), sum_event(-prepared.expand_as(z), self.event_dims)


@pytest.mark.parametrize(
    ("given", "returned"),
    [
        (torch.bfloat16, torch.float32),
        (torch.float16, torch.float32),
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
    ],
)
def test_sum_event_is_in_float32_at_least(given: torch.dtype, returned: torch.dtype) -> None:
    # 4096 ones: a sum kept in bfloat16 would stop at 256, and one in float16 at 2048.
    total = sum_event(torch.ones(2, 3, 16, 16, 16, dtype=given), 3)
    assert total.dtype == returned
    assert total.tolist() == [[4096.0] * 3] * 2


@pytest.mark.parametrize(("event_dims", "shape"), [(1, (2, 3, 4)), (2, (2, 3)), (3, (2,)), (4, ())])
def test_sum_event_leaves_the_batch_shape(event_dims: int, shape: tuple[int, ...]) -> None:
    values = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    total = sum_event(values, event_dims)
    assert total.shape == shape
    torch.testing.assert_close(total.sum(), values.sum())


def test_sum_event_of_no_samples() -> None:
    assert sum_event(torch.ones(0, 3, 4, 4), 3).shape == (0,)


@pytest.mark.parametrize("shape", [(), (1,), (3, 1, 1), (3, 4, 5), (1, 4, 1), (1, 3, 4, 5), (2, 1, 1, 1), (2, 3, 1, 5)])
def test_sum_event_counts_what_elements_share_as_often_as_it_is_there(shape: tuple[int, ...]) -> None:
    like = torch.rand(2, 3, 4, 5, dtype=torch.float64)
    values = torch.rand(shape, dtype=torch.float64)
    torch.testing.assert_close(sum_event(values, 3, like=like), sum_event(values.expand_as(like), 3))


@pytest.mark.parametrize("shape", [(2, 1, 1), (3, 3, 1, 1), (2, 2, 3, 4, 5)])
def test_sum_event_refuses_what_does_not_broadcast(shape: tuple[int, ...]) -> None:
    with pytest.raises(RuntimeError, match="expand"):
        sum_event(torch.rand(shape), 3, like=torch.rand(2, 3, 4, 5))


def test_the_context_is_prepared_once_when_bound_and_once_a_call_otherwise() -> None:
    bijector = ScaleByContext()
    x, context = torch.rand(2, 3), torch.rand(2, 3)
    bound = bijector.bind(context)
    z, _ = bound(x)
    bound.inverse(z)
    assert bijector.prepared_times == 1
    bijector(x, context)
    bijector.inverse(x, context)
    assert bijector.prepared_times == 3


def test_a_bound_bijector_is_a_bijector_without_context() -> None:
    bijector, x, context = ScaleByContext(), torch.rand(2, 3), torch.rand(2, 3)
    bound = bijector.bind(context)
    assert isinstance(bound, BoundBijector)
    assert isinstance(bound, Bijector)
    expected, log_det = bijector(x, context)
    for again in (bound.bind(None), Chain([bound]), Inverse(Inverse(bound))):
        z, its_log_det = again(x)
        assert torch.equal(z, expected)
        assert torch.equal(its_log_det, log_det)
    with pytest.raises(ValueError, match="has its context already"):
        bound.bind(context)


def test_gradients_reach_the_parameters_and_the_context_through_a_bound_bijector() -> None:
    bijector, context = ScaleByContext(), torch.rand(2, 3, requires_grad=True)
    bijector.bind(context)(torch.rand(2, 3))[1].sum().backward()
    assert bijector.weight.grad is not None
    torch.testing.assert_close(bijector.weight.grad, context.detach().sum())
    assert context.grad is not None
    torch.testing.assert_close(context.grad, torch.full((2, 3), 0.5))


def test_results_are_held_not_cached() -> None:
    # What was bound stays as it was; binding again sees the new parameters.
    bijector, x, context = ScaleByContext(), torch.rand(2, 3), torch.ones(2, 3)
    bound = bijector.bind(context)
    with torch.no_grad():
        bijector.weight.fill_(0.0)
    torch.testing.assert_close(bound(x)[0], x * torch.tensor(0.5).exp())
    assert torch.equal(bijector.bind(context)(x)[0], x)


def test_a_bijector_must_write_both_directions() -> None:
    class OneWay(Bijector[Tensor, Tensor]):
        def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
            return x, sum_event(torch.zeros_like(x), self.event_dims)

    with pytest.raises(TypeError, match="_inverse"):
        OneWay()  # type: ignore[abstract]
