import pytest
import torch

from flowkit.bijectors.permutation import Permutation, Reversal


def test_the_channels_change_places() -> None:
    order = [2, 0, 3, 1]
    for shape, event_dims in (((5, 4), 1), ((5, 4, 2, 3), 3), ((4, 6), 2)):
        x = torch.randn(shape)
        layer = Permutation(order, event_dims)
        z, log_det = layer(x)
        dim = x.ndim - event_dims
        for i, source in enumerate(order):
            assert torch.equal(z.select(dim, i), x.select(dim, source))
        assert torch.equal(layer.inverse(z)[0], x)
        assert torch.equal(log_det, torch.zeros(shape[:dim]))


def test_a_loaded_permutation_is_undone_as_well() -> None:
    layer, x = Permutation(range(5)), torch.randn(3, 5)
    layer.load_state_dict(Permutation([3, 0, 4, 1, 2]).state_dict())
    assert torch.equal(layer(x)[0], x[:, [3, 0, 4, 1, 2]])
    assert torch.equal(layer.inverse(layer(x)[0])[0], x)


def test_reversal() -> None:
    x = torch.randn(2, 5, 3, 3)
    layer = Reversal(5, event_dims=3)
    assert torch.equal(layer(x)[0], x.flip(1))
    assert torch.equal(layer.inverse(x)[0], x.flip(1))


@pytest.mark.parametrize("order", [[], [1, 2], [0, 0, 1], [0, 2], [-1, 0, 1]])
def test_what_is_no_permutation_is_refused(order: list[int]) -> None:
    with pytest.raises(ValueError, match="is no permutation"):
        Permutation(order)


def test_another_number_of_channels_is_refused() -> None:
    with pytest.raises(ValueError, match=r"Permutation\(3\) got the event shape \(4,\)"):
        Permutation([1, 2, 0])(torch.rand(2, 4))
    with pytest.raises(ValueError, match="channels is 0"):
        Reversal(0)


def test_a_tensor_is_a_permutation_too() -> None:
    order = torch.tensor([2, 0, 1])
    assert torch.equal(Permutation(order).permutation, order)
    with pytest.raises(ValueError, match=r"\[0, 0\] is no permutation"):
        Permutation(torch.tensor([0, 0]))
