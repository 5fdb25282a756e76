import pytest
import torch

from flowkit.bijectors.lu import LULinear


def test_vectors_are_multiplied_by_the_product_of_the_factors() -> None:
    torch.manual_seed(0)
    layer = LULinear(5).double()
    P = torch.eye(5, dtype=torch.float64)[layer.permutation]
    L = layer.lower.tril(-1) + torch.eye(5, dtype=torch.float64)
    U = layer.upper.triu(1) + torch.diag(layer.sign * layer.log_scale.exp())
    # A permutation that is no transposition: mixing it up with its inverse would show.
    assert not torch.equal(layer.permutation, layer.permutation.argsort())
    x = torch.randn(7, 5, dtype=torch.float64)
    z, log_det = layer(x)
    torch.testing.assert_close(z, x @ (P @ L @ U).mT)
    torch.testing.assert_close(layer.inverse(z)[0], x)
    torch.testing.assert_close(log_det, layer.log_scale.sum().expand(7))


def test_it_starts_as_the_matrix_that_is_given() -> None:
    torch.manual_seed(0)
    start = torch.randn(4, 4)
    torch.testing.assert_close(LULinear(4, start=start).weight, start)
    assert torch.equal(LULinear(4, start=torch.eye(4)).weight, torch.eye(4))


def test_a_start_of_another_shape_or_without_an_inverse_is_refused() -> None:
    with pytest.raises(ValueError, match=r"start has the shape \(3, 3\); it must be 4 x 4"):
        LULinear(4, start=torch.eye(3))
    with pytest.raises(ValueError, match="start is singular"):
        LULinear(2, start=torch.zeros(2, 2))
