import pytest
import torch

from flowkit.nn.lipswish import LipSwish


@pytest.mark.parametrize("raw_beta", [-30.0, -1.0, 0.5, 3.0, 100.0])
def test_no_slope_is_larger_than_one(raw_beta: float) -> None:
    activation = LipSwish().double()
    activation.raw_beta.data.fill_(raw_beta)
    # The steep part is 1 / beta wide: finer towards zero.
    near = torch.logspace(-6, 3, 20001, dtype=torch.float64)
    x = torch.cat([-near, near]).requires_grad_()
    (slope,) = torch.autograd.grad(activation(x).sum(), x)
    # The scale 1.1 is the supremum 1.0998 rounded up, which nearly reaches 1 where beta x is about 2.4.
    assert slope.abs().max() <= 1
    if 0 < raw_beta < 10:
        assert slope.max() > 0.999


def test_it_is_swish_over_its_largest_slope() -> None:
    activation = LipSwish().double()
    x = torch.linspace(-3, 3, 7, dtype=torch.float64)
    beta = torch.log1p(torch.exp(torch.tensor(0.5, dtype=torch.float64)))
    torch.testing.assert_close(activation(x), x / (1 + torch.exp(-beta * x)) / 1.1)


def test_beta_is_learnt() -> None:
    activation = LipSwish()
    activation(torch.ones(3)).sum().backward()
    assert activation.raw_beta.grad is not None
    assert activation.raw_beta.grad != 0
