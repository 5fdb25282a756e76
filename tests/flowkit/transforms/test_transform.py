import pytest
import torch

from flowkit.transforms import split_parameters


@pytest.mark.parametrize(("shape", "event_dims"), [((2, 6), 1), ((6,), 1), ((2, 6, 3, 4), 3), ((5, 2, 6, 3, 4), 3)])
def test_parameters_are_interleaved_along_the_channels(shape: tuple[int, ...], event_dims: int) -> None:
    raw = torch.rand(shape)
    dim = len(shape) - event_dims
    for count in (1, 2, 3):
        parts = split_parameters(raw, count, event_dims)
        assert parts.shape[-1] == count
        for p, part in enumerate(parts.unbind(-1)):
            assert torch.equal(part, raw.index_select(dim, torch.arange(p, 6, count)))


def test_another_number_of_channels_is_refused() -> None:
    raw = torch.rand(2, 6, 3, 4)
    assert split_parameters(raw, 2, 3, channels=3).shape == (2, 3, 3, 4, 2)
    with pytest.raises(ValueError, match="gave 6 channels, 8 are needed: 2 parameters for each of 4 channels"):
        split_parameters(raw, 2, 3, channels=4)
