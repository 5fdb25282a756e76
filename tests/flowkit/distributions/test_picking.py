import torch

from flowkit.distributions.picking import pick


def test_each_place_gets_its_own() -> None:
    samples = torch.randn(3, 5, 2, 2)
    which = torch.tensor([2, 0, 1, 1, 2], dtype=torch.int32)
    picked = pick(list(samples), which)
    assert all(torch.equal(picked[i], samples[int(w), i]) for i, w in enumerate(which))


def test_tuples_are_picked_from_together() -> None:
    first, second = ((torch.full((2, 1), float(k)), torch.full((2, 3), float(k))) for k in range(2))
    one, other = pick([first, second], torch.tensor([1, 0]))
    assert one.tolist() == [[1.0], [0.0]]
    assert other.tolist() == [[1.0] * 3, [0.0] * 3]


def test_an_empty_batch() -> None:
    assert pick([torch.zeros(0, 2), torch.zeros(0, 2)], torch.zeros(0)).shape == (0, 2)
