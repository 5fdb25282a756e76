import pytest
import torch
from torch import nn

from flowkit.nn.time_mlp import TimeMLP

HALF = torch.tensor(0.5, dtype=torch.float64)


def test_the_first_layer_is_linear_in_point_time_and_context() -> None:
    torch.manual_seed(0)
    field = TimeMLP(2, (3,), context_features=4, activation=nn.Identity).double()
    x, context = torch.randn(5, 2, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    weight, last = field.first.weight, field.rest[-1]
    hidden = torch.cat([x, context], -1) @ weight.T + field.first.bias + field.time_weight * 0.5
    torch.testing.assert_close(field(HALF, x, field.prepare(context)), last(hidden))


def test_any_batch_shape_is_taken() -> None:
    torch.manual_seed(0)
    field = TimeMLP(2, (3, 4)).double()
    x = torch.randn(2, 3, 2, dtype=torch.float64)
    torch.testing.assert_close(field(HALF, x)[1, 2], field(HALF, x[1, 2]))


def test_the_default_field_is_bounded() -> None:
    # So that a solution exists at all times, for any parameters.
    torch.manual_seed(0)
    field = TimeMLP(2, (5,)).double()
    for parameter in field.parameters():
        parameter.data.mul_(100)
    last = field.rest[-1]
    bound = last.weight.abs().sum(1) + last.bias.abs()
    assert (field(HALF, 1e6 * torch.randn(50, 2, dtype=torch.float64)).abs() <= bound).all()


def test_a_new_field_hardly_moves_and_every_parameter_gets_a_gradient() -> None:
    torch.manual_seed(0)
    field = TimeMLP(2, (5, 6), context_features=3)
    velocity = field(torch.tensor(0.5), torch.randn(8, 2), field.prepare(torch.randn(8, 3)))
    assert 0 < velocity.abs().max() < 0.2
    (velocity * torch.randn_like(velocity)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().max() > 0 for p in field.parameters())


def test_other_sizes_are_refused() -> None:
    with pytest.raises(ValueError, match="hidden is empty"):
        TimeMLP(2, ())
    with pytest.raises(ValueError, match=r"takes 2 features, got an input of shape \(1, 3\)"):
        TimeMLP(2, (4,))(HALF, torch.ones(1, 3))
    with pytest.raises(ValueError, match="context of 3 features, got none"):
        TimeMLP(2, (4,), context_features=3).prepare(None)
