import pytest
import torch

from flowkit.bijectors.householder import Householder, householder_product, random_reflections


def one_by_one(vectors: torch.Tensor) -> torch.Tensor:
    product = torch.eye(vectors.shape[1], dtype=vectors.dtype)
    for v in vectors:
        product = product @ (torch.eye(len(v), dtype=v.dtype) - 2 * torch.outer(v, v) / (v @ v))
    return product


@pytest.mark.parametrize(("count", "channels"), [(1, 4), (2, 2), (3, 5), (5, 5), (9, 4)])
def test_the_product_of_the_reflections_in_their_order(count: int, channels: int) -> None:
    torch.manual_seed(0)
    vectors = torch.randn(count, channels, dtype=torch.float64)
    torch.testing.assert_close(householder_product(vectors), one_by_one(vectors))


def test_lengths_do_not_matter() -> None:
    torch.manual_seed(0)
    vectors = torch.randn(3, 5, dtype=torch.float64)
    scaled = vectors * torch.tensor([[1e-150], [1.0], [1e150]], dtype=torch.float64)
    torch.testing.assert_close(householder_product(scaled), householder_product(vectors))


def test_vectors_that_are_nearly_the_same() -> None:
    # The worst case for building the product at once: the same reflection an even number of times is nothing at all.
    torch.manual_seed(0)
    vector = torch.randn(1, 6, dtype=torch.float64)
    product = householder_product(vector.expand(8, 6))
    torch.testing.assert_close(product, torch.eye(6, dtype=torch.float64), rtol=0, atol=1e-13)
    near = vector + 1e-9 * torch.randn(8, 6, dtype=torch.float64)
    product = householder_product(near)
    torch.testing.assert_close(product @ product.mT, torch.eye(6, dtype=torch.float64), rtol=0, atol=1e-13)


@pytest.mark.parametrize("reflections", [1, 2, 3, None])
def test_the_determinants_sign_is_that_of_the_number(reflections: int | None) -> None:
    torch.manual_seed(0)
    layer = Householder(4, reflections).double()
    expected = (-1.0) ** (4 if reflections is None else reflections)
    torch.testing.assert_close(torch.linalg.det(layer.weight).item(), expected)
    assert len(layer.vectors) == (4 if reflections is None else reflections)


def test_vectors_start_at_length_one() -> None:
    torch.testing.assert_close(random_reflections(6, 4).norm(dim=-1), torch.ones(4))


def test_no_reflections_are_refused() -> None:
    with pytest.raises(ValueError, match="reflections is 0"):
        Householder(3, 0)
