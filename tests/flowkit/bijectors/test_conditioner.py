import pytest
import torch
from torch import Tensor, nn

from flowkit.bijectors.conditioner import apply_conditioner, prepare_conditioner


class Doubling(nn.Module):
    def prepare(self, context: Tensor) -> Tensor:
        return 2 * context

    def forward(self, x: Tensor, prepared: Tensor) -> Tensor:
        return x + prepared


def test_a_module_with_prepare_gets_its_result() -> None:
    x, context = torch.rand(3), torch.rand(3)
    prepared = prepare_conditioner(Doubling(), context)
    assert torch.equal(apply_conditioner(Doubling(), x, prepared), x + 2 * context)


def test_any_other_module_gets_the_context_itself() -> None:
    x, context = torch.rand(3, 4), torch.rand(3, 5)
    bilinear = nn.Bilinear(4, 5, 2)
    assert prepare_conditioner(bilinear, context) is context
    assert torch.equal(apply_conditioner(bilinear, x, context), bilinear(x, context))


def test_a_module_of_the_data_alone_is_given_no_context() -> None:
    with pytest.raises(ValueError, match="a Linear takes no context"):
        prepare_conditioner(nn.Linear(4, 2), torch.rand(3, 5))


def test_without_context_the_module_is_called_with_the_data_alone() -> None:
    x = torch.rand(3, 4)
    linear = nn.Linear(4, 2)
    assert torch.equal(apply_conditioner(linear, x, prepare_conditioner(linear, None)), linear(x))
