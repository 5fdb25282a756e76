from typing import Any

import pytest
import torch
from torch import Tensor, nn

from flowkit.bijectors.jacobian import jacobian, value_and_pullback


def network(features: int) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(features, 5), nn.Tanh(), nn.Linear(5, features)).double()


@pytest.mark.parametrize("batch", [(), (1,), (4,), (2, 3)], ids=str)
def test_each_sample_has_the_matrix_that_autograd_has(batch: tuple[int, ...]) -> None:
    function = network(3)
    x = torch.randn(*batch, 3, dtype=torch.float64)
    value, matrix = jacobian(function, x, event_dims=1)
    assert matrix.shape == (*batch, 3, 3)
    torch.testing.assert_close(value, function(x))
    for one, its in zip(x.reshape(-1, 3), matrix.reshape(-1, 3, 3), strict=True):
        torch.testing.assert_close(its, torch.autograd.functional.jacobian(function, one))


def test_events_of_several_dimensions_are_flattened() -> None:
    torch.manual_seed(0)
    convolution = nn.Conv2d(2, 2, 3, padding=1).double()
    x = torch.randn(3, 2, 2, 3, dtype=torch.float64)
    _, matrix = jacobian(lambda x: torch.tanh(convolution(x)), x, event_dims=3)
    assert matrix.shape == (3, 12, 12)
    expected = torch.autograd.functional.jacobian(lambda x: torch.tanh(convolution(x)), x[1:2])
    torch.testing.assert_close(matrix[1], expected.reshape(12, 12))


def test_it_can_be_differentiated_by_input_and_parameters() -> None:
    function = network(2)
    weight = function[0].weight.detach().clone().requires_grad_()
    x = torch.randn(3, 2, dtype=torch.float64, requires_grad=True)

    def of_both(x: Tensor, weight: Tensor) -> Tensor:
        return jacobian(lambda x: torch.func.functional_call(function, {"0.weight": weight}, x), x, 1)[1]

    assert torch.autograd.gradcheck(of_both, (x, weight))


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_it_runs_where_no_gradients_are_kept(mode: type[torch.no_grad]) -> None:
    function, x = network(2), torch.randn(3, 2, dtype=torch.float64)
    expected = jacobian(function, x, 1)[1].detach()
    with mode():
        matrix = jacobian(function, x.clone(), 1)[1]
    assert not matrix.requires_grad
    assert torch.equal(matrix, expected)


@pytest.mark.parametrize("grad_enabled", [True, False])
@pytest.mark.parametrize("inference", [True, False])
def test_compiled_code_takes_the_same_derivatives_in_every_mode(inference: bool, grad_enabled: bool) -> None:
    function, x = network(2), torch.randn(3, 2, dtype=torch.float64)
    expected = jacobian(function, x, 1)[1].detach()
    torch.compiler.reset()
    compiled: Any = torch.compile(lambda x: jacobian(function, x, 1)[1], backend="eager", fullgraph=True)
    with torch.inference_mode(inference), torch.set_grad_enabled(grad_enabled and not inference):
        matrix = compiled(x)
    assert matrix.requires_grad == (grad_enabled and not inference)
    torch.testing.assert_close(matrix.detach(), expected)


def test_the_pullback_is_a_product_with_the_transposed_matrix() -> None:
    function, x = network(3), torch.randn(3, dtype=torch.float64)
    v = torch.randn(3, dtype=torch.float64)
    value, pullback = value_and_pullback(function, x)
    torch.testing.assert_close(value, function(x))
    for _ in range(2):
        torch.testing.assert_close(pullback(v), v @ torch.autograd.functional.jacobian(function, x))
