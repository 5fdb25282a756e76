import pytest
import torch

from flowkit.bijectors.haar import HaarWavelet


def test_bands_are_ordered_before_channels() -> None:
    torch.manual_seed(0)
    x = torch.randn(2, 3, 4, 6, dtype=torch.float64)
    z, log_det = HaarWavelet()(x)
    a, b, c, d = x[..., ::2, ::2], x[..., ::2, 1::2], x[..., 1::2, ::2], x[..., 1::2, 1::2]
    expected = torch.cat([a + b + c + d, a - b + c - d, a + b - c - d, a - b - c + d], 1) / 2
    assert z.shape == (2, 12, 2, 3)
    torch.testing.assert_close(z, expected)
    assert torch.equal(log_det, torch.zeros(2, dtype=torch.float64))


def test_the_first_band_is_twice_the_average() -> None:
    x = torch.randn(2, 3, 4, 6)
    torch.testing.assert_close(HaarWavelet()(x)[0][:, :3], 2 * torch.nn.functional.avg_pool2d(x, 2))


def test_details_are_told_apart() -> None:
    row = torch.tensor([1.0, -1.0]).expand(1, 4, 2).repeat(1, 1, 2)
    stripes = {1: row, 2: row.mT, 3: row * row.mT}
    for band, image in stripes.items():
        z, _ = HaarWavelet()(image)
        assert z[band].abs().min() == 2
        assert z.abs().sum() == z[band].abs().sum()


def test_it_keeps_lengths() -> None:
    x = torch.randn(4, 3, 8, 6, dtype=torch.float64)
    z, _ = HaarWavelet()(x)
    torch.testing.assert_close(z.flatten(1).norm(dim=1), x.flatten(1).norm(dim=1))
    back, _ = HaarWavelet().inverse(z)
    torch.testing.assert_close(back, x)
    # Of small integers nothing is rounded.
    whole = torch.randint(0, 256, (3, 4, 4)).float()
    assert torch.equal(HaarWavelet().inverse(HaarWavelet()(whole)[0])[0], whole)


@pytest.mark.parametrize("size", [(3, 4), (4, 5), (1, 1)])
def test_odd_sizes_are_refused(size: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="HaarWavelet needs an even height and width"):
        HaarWavelet()(torch.rand(3, *size))


def test_channels_that_are_no_bands_are_refused() -> None:
    with pytest.raises(ValueError, match=r"multiple of 4 channels, got \(6, 2, 2\)"):
        HaarWavelet().inverse(torch.rand(6, 2, 2))
