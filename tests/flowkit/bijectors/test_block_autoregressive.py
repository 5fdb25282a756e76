import pytest
import torch
from torch import Tensor

from flowkit.bijectors import BlockNeuralAutoregressive
from flowkit.nn import BlockAutoregressive
from flowkit.testing.subject import perturb

DTYPE = torch.float64


def network(features: int = 3, units: int = 4, layers: int = 2, context_features: int = 0) -> BlockAutoregressive:
    torch.manual_seed(0)
    made = BlockAutoregressive(features, units, layers, context_features).double()
    perturb(made, 0.5)
    return made


def test_outputs_increase_in_their_feature_and_do_not_see_later_ones() -> None:
    made = network()
    x = torch.randn(20, 3, dtype=DTYPE)
    jacobian = torch.func.vmap(torch.func.jacrev(lambda value: made(value)[0]))(x)
    assert torch.equal(jacobian, jacobian.tril())
    assert (jacobian.diagonal(dim1=1, dim2=2) > 0).all()
    assert (jacobian.abs().amax(0) > 0).equal(torch.ones(3, 3).tril().bool())
    torch.testing.assert_close(made(x)[1], jacobian.diagonal(dim1=1, dim2=2).log())


def test_no_output_goes_beyond_the_largest() -> None:
    made = network()
    far = torch.tensor([-1e6, 1e6], dtype=DTYPE)
    outputs, log_derivative = made(torch.cartesian_prod(far, far, far))
    assert (outputs.abs() <= made.largest() * (1 + 1e-12)).all()
    assert log_derivative.isfinite().all()
    # It is the least such number: in one corner, all units of the last hidden layer are at an end.
    assert (outputs.abs().amax(0) > 0.1 * made.largest()).all()


def test_it_comes_back_from_latents_that_are_far_out() -> None:
    layer = BlockNeuralAutoregressive(network()).double()
    z = torch.tensor([[0.0, 0.0, 0.0], [-50.0, 50.0, 1e3], [1e4, -1e4, 0.1]], dtype=DTYPE)
    with torch.no_grad():
        x, log_det = layer.inverse(z)
        back, expected = layer(x)
    torch.testing.assert_close(back, z, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(log_det, -expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_it_comes_back_where_the_gate_is_near_one(dtype: torch.dtype) -> None:
    layer = BlockNeuralAutoregressive(network()).to(dtype)
    layer.raw_gate.data.fill_(30)
    x = torch.randn(100, 3, dtype=dtype)
    with torch.no_grad():
        z, _ = layer(x)
        back, _ = layer.inverse(z)
        again, _ = layer(back)
    # The value is what a root has; where the slope is 1e-3, x is a thousand times less well known.
    rounding = 100 * torch.finfo(dtype).eps
    torch.testing.assert_close(again, z, rtol=rounding, atol=rounding)
    torch.testing.assert_close(back, x, rtol=0, atol=1e4 * rounding)


def test_a_gate_near_zero_is_the_identity() -> None:
    layer = BlockNeuralAutoregressive(network()).double()
    layer.raw_gate.data.fill_(-40)
    x = torch.randn(4, 3, dtype=DTYPE)
    torch.testing.assert_close(layer(x)[0], x)


def test_a_context_moves_every_output() -> None:
    made = network(context_features=2)
    x = torch.randn(1, 3, dtype=DTYPE).expand(2, 3)

    def outputs(context: Tensor) -> Tensor:
        return made(x, made.prepare(context))[0]

    first, second = outputs(torch.randn(2, 2, dtype=DTYPE))
    assert (first != second).all()


def test_a_context_that_does_not_fit_is_named() -> None:
    with pytest.raises(ValueError, match="takes a context of 2 features, got none"):
        network(context_features=2).prepare(None)
    with pytest.raises(ValueError, match=r"takes a context of 0 features, got one of shape \(1, 3\); leave it out"):
        network().prepare(torch.rand(1, 3))
    with pytest.raises(ValueError, match="a feature has 0 features"):
        BlockAutoregressive(3, units=0)
