import pytest
import torch

from flowkit import Squeeze


@pytest.mark.parametrize("factor", [2, 3])
def test_channel_order(factor: int) -> None:
    channels, height, width = 2, 2, 3
    x = torch.arange(float(channels * height * width * factor**2))
    x = x.reshape(1, channels, height * factor, width * factor)
    z, log_det = Squeeze(factor)(x)
    assert z.shape == (1, channels * factor**2, height, width)
    for c in range(channels):
        for row in range(factor):
            for column in range(factor):
                got = z[0, c * factor**2 + factor * row + column]
                assert torch.equal(got, x[0, c, row::factor, column::factor])
    assert torch.equal(log_det, torch.zeros(1))


def test_it_is_pixel_unshuffle() -> None:
    x = torch.rand(2, 3, 8, 6)
    assert torch.equal(Squeeze()(x)[0], torch.nn.functional.pixel_unshuffle(x, 2))


@pytest.mark.parametrize("factor", [1, 0, -2])
def test_small_factors_are_refused(factor: int) -> None:
    with pytest.raises(ValueError, match=f"factor is {factor}"):
        Squeeze(factor)
