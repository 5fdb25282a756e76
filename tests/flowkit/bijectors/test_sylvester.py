import pytest
import torch

from flowkit.bijectors import Sylvester

DTYPE = torch.float64


def moved(features: int, rank: int, size: float = 2.0) -> Sylvester:
    torch.manual_seed(0)
    layer = Sylvester(features, rank).double()
    layer.source.own.data = size * torch.randn_like(layer.source.own)
    return layer


def test_it_is_the_formula() -> None:
    layer = moved(5, 3)
    basis, inner, outer, bias = layer.prepare(None)
    torch.testing.assert_close(basis.T @ basis, torch.eye(3, dtype=DTYPE))
    assert torch.equal(inner, inner.triu())
    assert torch.equal(outer, outer.triu())
    x = torch.randn(7, 5, dtype=DTYPE)
    expected = x + torch.stack([basis @ outer @ torch.tanh(inner @ basis.T @ row + bias) for row in x])
    torch.testing.assert_close(layer(x)[0], expected)


@pytest.mark.parametrize("size", [0.5, 2.0, 10.0])
def test_it_stays_invertible_however_large_its_parameters(size: float) -> None:
    layer = moved(4, 3, size)
    x = 3 * torch.randn(50, 4, dtype=DTYPE)
    z, log_det = layer(x)
    back, log_back = layer.inverse(z)
    # A direction is squeezed by up to 100, in three steps of back substitution with entries up to 30.
    torch.testing.assert_close(back, x, rtol=0, atol=1e-7)
    torch.testing.assert_close(log_back, -log_det, rtol=0, atol=1e-6)


def test_ranks_that_it_has_not_are_refused() -> None:
    for rank in (0, 4):
        with pytest.raises(ValueError, match=rf"rank is {rank}; it must lie in 1 ... 3"):
            Sylvester(3, rank)
