import pickle

import pytest
import torch

from flowkit.bijectors.masks import Checkerboard, alternating_mask


@pytest.mark.parametrize("channels", [1, 2, 5])
def test_every_other_channel(channels: int) -> None:
    assert alternating_mask(channels).tolist() == [c % 2 == 0 for c in range(channels)]
    assert alternating_mask(channels, parity=1).tolist() == [c % 2 == 1 for c in range(channels)]


@pytest.mark.parametrize("shape", [(3, 1, 1), (1, 4, 4), (2, 3, 5), (2, 5, 2), (1, 6), (2, 2, 3, 4)])
@pytest.mark.parametrize("parity", [0, 1])
def test_neighbours_differ_whatever_the_size(shape: tuple[int, ...], parity: int) -> None:
    mask = Checkerboard(parity)(shape)
    assert mask.dtype == torch.bool
    assert mask.shape == shape[-2:]
    assert mask[0, 0] == (parity == 0)
    assert (mask[1:] != mask[:-1]).all()
    assert (mask[:, 1:] != mask[:, :-1]).all()


def test_a_checkerboard_is_a_value() -> None:
    assert pickle.loads(pickle.dumps(Checkerboard(1))) == Checkerboard(1) != Checkerboard(0)


def test_other_parities_and_vectors_are_refused() -> None:
    for make in (Checkerboard, lambda parity: alternating_mask(3, parity)):
        with pytest.raises(ValueError, match="parity is 2; it is 0 or 1"):
            make(2)
    with pytest.raises(ValueError, match=r"over height and width, got the event shape \(5,\)"):
        Checkerboard()((5,))
