import pytest
import torch
from torch import nn

from flowkit import Chain, Conv1x1, Injector, LUConv1x1, LULinear, Squeeze


def test_parts_run_in_order_and_log_determinants_add_up() -> None:
    torch.manual_seed(0)
    first, second = Conv1x1(4).double(), LUConv1x1(4).double()
    with torch.no_grad():
        first.weight.mul_(1.5)
        second.log_scale.add_(0.3)
    x = torch.rand(2, 4, 3, 5, dtype=torch.float64)
    middle, log_det_1 = first(x)
    expected, log_det_2 = second(middle)
    z, log_det = Chain([first, second])(x)
    assert torch.equal(z, expected)
    assert torch.equal(log_det, log_det_1 + log_det_2)


def test_every_part_is_given_the_context() -> None:
    one = Injector(3, torch.nn.Linear(2, 6), event_dims=1)
    two = Injector(3, torch.nn.Linear(2, 6), event_dims=1)
    x, context = torch.rand(4, 3), torch.rand(4, 2)
    assert torch.equal(Chain([one, two])(x, context)[0], two(one(x, context)[0], context)[0])


def test_shapes_go_through_all_parts() -> None:
    chain = Chain([Squeeze(), Squeeze(3)])
    assert chain.output_shape((1, 12, 6)) == (36, 2, 1)
    assert chain.input_shape((36, 2, 1)) == (1, 12, 6)
    with pytest.raises(ValueError, match="divisible by 3"):
        chain.output_shape((1, 4, 6))


def test_parts_are_listed_and_registered() -> None:
    parts = [Conv1x1(3), Conv1x1(3)]
    chain = Chain(part for part in parts)
    assert chain.parts == parts
    assert set(chain.state_dict()) == {"bijectors.0.weight", "bijectors.1.weight"}


def test_an_empty_chain_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one bijector"):
        Chain([])


def test_anything_but_a_bijector_is_refused() -> None:
    with pytest.raises(TypeError, match="a Chain takes a bijector, got the module Linear"):
        Chain([nn.Linear(2, 2)])  # type: ignore[list-item]


def test_a_layer_of_vectors_is_refused_among_those_of_images() -> None:
    # The matrix would run over the width, which happens to be 4 as well.
    with pytest.raises(ValueError, match="Squeeze gives events of 3 dimensions and LULinear after it takes 1"):
        Chain([Squeeze(), LULinear(4)])
    chain = Chain([Squeeze()])
    with pytest.raises(ValueError, match="Squeeze gives events of 3 dimensions and LULinear after it takes 1"):
        chain.append(LULinear(4))
    assert len(chain) == 1
