from typing import Any

import pytest
import torch
from torch import Tensor

from flowkit import ActNorm, Chain, LULinear, Orthogonal, initialize
from flowkit.bijectors.fused.normalized_mixing import NormalizedMixing
from flowkit.bijectors.fused.table import joined

# Float64 is the suite's default; the two ways differ by rounding alone.


def pair(mixing: Any, event_dims: int) -> tuple[Chain, Tensor]:
    """An actnorm and a matrix, neither of them near the identity, and data."""
    torch.manual_seed(0)
    x = 3 + 2 * torch.randn((7, 4, 3, 5)[: 1 + event_dims])
    chain = Chain([ActNorm(4, event_dims), mixing])
    initialize(chain, torch.randn(x.shape))
    with torch.no_grad():
        for parameter in chain.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return chain, x


def one_by_one(chain: Chain, x: Tensor, inverse: bool = False) -> tuple[Tensor, Tensor]:
    total = torch.zeros(len(x))
    for part in reversed(chain.parts) if inverse else chain.parts:
        x, log_det = part.inverse(x) if inverse else part(x)
        total = total + log_det
    return x, total


KINDS = pytest.mark.parametrize("make", [LULinear, Orthogonal])
DIMS = pytest.mark.parametrize("event_dims", [1, 3])


@KINDS
@DIMS
@pytest.mark.parametrize("inverse", [False, True])
@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("grad", [False, True])
def test_it_is_the_one_after_the_other(make: Any, event_dims: int, inverse: bool, training: bool, grad: bool) -> None:
    chain, x = pair(make(4, event_dims=event_dims), event_dims)
    chain.train(training)
    (part,) = joined(chain.parts)
    assert isinstance(part, NormalizedMixing)
    with torch.set_grad_enabled(grad):
        for _ in range(2):
            got = chain.inverse(x) if inverse else chain(x)
        expected = one_by_one(chain, x, inverse)
    for one, other in zip(got, expected, strict=True):
        torch.testing.assert_close(one, other)


@DIMS
@pytest.mark.parametrize("inverse", [False, True])
def test_gradients(event_dims: int, inverse: bool) -> None:
    chain, x = pair(LULinear(4, event_dims=event_dims), event_dims)
    x.requires_grad_()
    leaves = [x, *chain.parameters()]

    def grads(run: Any) -> tuple[Tensor, ...]:
        z, log_det = run()
        return torch.autograd.grad(z.square().sum() + log_det.square().sum(), leaves)

    ours = grads(lambda: chain.inverse(x) if inverse else chain(x))
    for one, other in zip(ours, grads(lambda: one_by_one(chain, x, inverse)), strict=True):
        torch.testing.assert_close(one, other)


@pytest.mark.parametrize("name", ["0.bias", "0.log_scale", "1.lower", "1.upper", "1.log_scale"])
def test_what_is_kept_follows_the_parameters(name: str) -> None:
    chain, x = pair(LULinear(4, event_dims=3), 3)
    chain.eval()
    with torch.no_grad():
        before, _ = chain(x)
        chain.bijectors.get_parameter(name).mul_(1.5)
        z, _ = chain(x)
        torch.testing.assert_close(z, one_by_one(chain, x)[0])
        torch.testing.assert_close(chain.inverse(z)[0], x)
    assert not torch.allclose(z, before)


def test_half_precision_and_autocast_stay_out() -> None:
    chain, x = pair(LULinear(4, event_dims=3), 3)
    chain.float()
    expected, _ = chain(x.bfloat16().float())
    with torch.autocast("cpu", torch.bfloat16):
        z, log_det = chain(x.bfloat16())
    assert z.dtype == log_det.dtype == torch.float32
    torch.testing.assert_close(z, expected)


def test_an_actnorm_without_a_start_is_told_by_name() -> None:
    chain = Chain([ActNorm(4, 1), LULinear(4)])
    assert len(joined(chain.parts)) == 2
    with pytest.raises(RuntimeError, match=r"ActNorm\(4\) is not initialised"):
        chain(torch.rand(3, 4))
    with pytest.raises(ValueError, match=r"ActNorm\(4\) got the event shape"):
        chain(torch.rand(3, 5))
