import pytest
import torch
from torch import nn

from flowkit import FactorOut, ZeroConv2d
from flowkit.distributions import gaussian_log_prob


@pytest.mark.parametrize("channels", [2, 3, 5])
def test_the_latent_is_standardised_given_what_goes_on(channels: int) -> None:
    kept = channels // 2
    torch.manual_seed(0)
    network = nn.Conv2d(kept, 2 * (channels - kept), 1).double()
    x = torch.rand(2, channels, 3, 4, dtype=torch.float64)
    (first, latent), log_det = FactorOut(channels, network, scale=nn.Identity())(x)
    raw = network(x[:, :kept])
    mean, log_std = raw[:, 0::2], raw[:, 1::2]
    assert torch.equal(first, x[:, :kept])
    torch.testing.assert_close(latent, (x[:, kept:] - mean) / log_std.exp())
    torch.testing.assert_close(log_det, -log_std.sum((1, 2, 3)))


def test_it_is_the_learned_prior_of_glow() -> None:
    # Standard normal latents plus the log-determinant are the conditional Gaussian's density of the dropped half.
    torch.manual_seed(0)
    network = nn.Conv2d(1, 2, 1).double()
    x = torch.rand(3, 2, 2, 2, dtype=torch.float64)
    (_, latent), log_det = FactorOut(2, network, scale=nn.Identity())(x)
    standard = gaussian_log_prob(latent, torch.zeros(1).double(), torch.eye(1).double())
    mean, log_std = network(x[:, :1]).split(1, dim=1)
    expected = torch.distributions.Normal(mean, log_std.exp()).log_prob(x[:, 1:]).sum((1, 2, 3))
    torch.testing.assert_close(standard + log_det, expected)


def test_shapes_of_both_parts() -> None:
    cut = FactorOut(5, ZeroConv2d(2, 6))
    assert cut.output_shape((5, 3, 4)) == ((2, 3, 4), (3, 3, 4))
    assert cut.input_shape(((2, 3, 4), (3, 3, 4))) == (5, 3, 4)
    with pytest.raises(ValueError, match="cannot join"):
        cut.input_shape(((3, 3, 4), (2, 3, 4)))


def test_a_single_channel_is_refused() -> None:
    with pytest.raises(ValueError, match="channels is 1; factoring out needs at least 2"):
        FactorOut(1, nn.Identity())


def test_no_kept_half_makes_it_overflow() -> None:
    network = nn.Conv2d(1, 2, 1).double()
    nn.init.ones_(network.weight)
    for value in (-1e4, 1e4):
        (kept, latent), log_det = FactorOut(2, network)(torch.full((1, 2, 1, 1), value, dtype=torch.float64))
        assert kept.isfinite().all()
        assert latent.isfinite().all()
        torch.testing.assert_close(log_det.abs(), torch.full((1,), 7.0, dtype=torch.float64))
