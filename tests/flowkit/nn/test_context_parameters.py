import pytest
import torch
from torch import nn

from flowkit.nn.context_parameters import ContextParameters


def test_the_network_is_added_to_what_the_layer_owns() -> None:
    network = nn.Linear(2, 3)
    parameters = ContextParameters(torch.tensor([1.0, 2.0, 3.0]), network)
    context = torch.rand(4, 2)
    torch.testing.assert_close(parameters(context), torch.tensor([1.0, 2.0, 3.0]) + network(context))


def test_without_a_network_the_context_is_passed_over() -> None:
    parameters = ContextParameters(torch.ones(3))
    assert torch.equal(parameters(torch.rand(4, 2)), torch.ones(3))
    assert isinstance(parameters.own, nn.Parameter)


def test_they_are_float32_at_least() -> None:
    network = nn.Linear(2, 3)
    parameters = ContextParameters(torch.zeros(3), network)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert parameters(torch.rand(4, 2)).dtype == torch.float32
    assert ContextParameters(torch.ones(3)).bfloat16()(None).dtype == torch.float32


def test_a_missing_context_and_another_number_of_parameters_are_named() -> None:
    parameters = ContextParameters(torch.ones(3), nn.Linear(2, 1))
    with pytest.raises(ValueError, match="this layer is conditional: pass context="):
        parameters(None)
    with pytest.raises(ValueError, match="the conditioner gave 1 parameters, 3 are needed"):
        parameters(torch.rand(4, 2))
