import pytest
import torch

from flowkit.bijectors.woodbury import Woodbury


def moved(channels: int, rank: int, event_dims: int = 1, deviation: float = 0.5) -> Woodbury:
    torch.manual_seed(0)
    layer = Woodbury(channels, rank, event_dims).double()
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.add_(deviation * torch.randn_like(parameter))
    return layer


@pytest.mark.parametrize("rank", [1, 2, 5])
def test_the_formula(rank: int) -> None:
    layer = moved(5, rank)
    D, U = torch.diag(layer.log_scale.exp()), layer.factor
    K = layer.lower.tril(-1) - layer.lower.tril(-1).mT
    V = U @ (torch.eye(rank, dtype=torch.float64) + K.mT)
    W = D + U @ V.mT
    torch.testing.assert_close(layer.weight, W)
    x = torch.randn(7, 5, dtype=torch.float64)
    z, log_det = layer(x)
    torch.testing.assert_close(z, x @ W.mT)
    torch.testing.assert_close(log_det, torch.linalg.slogdet(W).logabsdet.expand(7))
    torch.testing.assert_close(layer.inverse(x)[0], torch.linalg.solve(W, x.mT).mT)


def test_the_symmetric_part_is_positive_definite_and_the_rest_is_there() -> None:
    weight = moved(6, 3, deviation=3.0).weight
    assert torch.linalg.eigvalsh(weight + weight.mT).min() > 0
    assert torch.linalg.det(weight) > 0
    assert (weight - weight.mT).abs().max() > 0.1


def test_it_starts_near_the_identity_and_learns_from_there() -> None:
    torch.manual_seed(0)
    layer = Woodbury(40, 4)
    assert torch.linalg.matrix_norm(layer.weight - torch.eye(40), 2) < 1
    z, log_det = layer(torch.randn(8, 40))
    (z.square().mean() - log_det.mean()).backward()
    assert all(p.grad is not None and p.grad.abs().max() > 1e-4 for p in (layer.factor, layer.log_scale))


@pytest.mark.parametrize("rank", [0, 6])
def test_a_rank_out_of_range_is_refused(rank: int) -> None:
    with pytest.raises(ValueError, match=f"rank is {rank}; it must lie in 1 ... 5"):
        Woodbury(5, rank)
