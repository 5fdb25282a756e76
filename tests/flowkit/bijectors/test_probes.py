import torch

from flowkit.bijectors.probes import rademacher


def test_signs_are_even_and_independent() -> None:
    torch.manual_seed(0)
    v = rademacher(torch.empty(20000, 2, dtype=torch.float64))
    assert v.dtype == torch.float64
    assert v.shape == (20000, 2)
    assert (v.abs() == 1).all()
    # Means of 20000 signs: standard error 0.007, five of them.
    assert v.mean(0).abs().max() < 0.036
    assert (v[:, 0] * v[:, 1]).mean().abs() < 0.036


def test_a_seed_repeats_them() -> None:
    torch.manual_seed(3)
    first = rademacher(torch.empty(9))
    torch.manual_seed(3)
    assert torch.equal(rademacher(torch.empty(9)), first)
