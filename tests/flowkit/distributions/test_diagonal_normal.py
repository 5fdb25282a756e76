import torch

from flowkit.distributions.diagonal_normal import DiagonalNormal
from flowkit.testing.subject import perturb


def moved(channels: int, event_dims: int) -> DiagonalNormal:
    torch.manual_seed(0)
    base = DiagonalNormal(channels, event_dims).double()
    perturb(base, 1.0)
    return base


def test_log_density_of_vectors() -> None:
    base = moved(4, 1)
    z = torch.randn(3, 4, dtype=torch.float64)
    expected = torch.distributions.Normal(base.mean, base.log_std.exp()).log_prob(z).sum(1)
    torch.testing.assert_close(base.log_prob(z), expected)


def test_positions_of_images_share_their_channel_s_parameters() -> None:
    base = moved(4, 3)
    z = torch.randn(3, 4, 2, 5, dtype=torch.float64)
    normal = torch.distributions.Normal(base.mean[:, None, None], base.log_std.exp()[:, None, None])
    torch.testing.assert_close(base.log_prob(z), normal.log_prob(z).sum((1, 2, 3)))
    drawn = base.sample(2000, (4, 2, 5), generator=torch.Generator().manual_seed(0)).detach()
    std = base.log_std.exp().detach()
    # Five standard errors of 20000 positions.
    assert ((drawn.mean((0, 2, 3)) - base.mean.detach()).abs() < 5 * std / 20000**0.5).all()
    assert ((drawn.var((0, 2, 3)) - std**2).abs() < 5 * std**2 * (2 / 20000) ** 0.5).all()


def test_it_starts_as_the_standard_normal() -> None:
    z = torch.randn(3, 4)
    torch.testing.assert_close(DiagonalNormal(4).log_prob(z), torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1))


def test_sampling_is_a_shift_and_a_scale_of_noise() -> None:
    base = moved(3, 1)
    grads = torch.autograd.grad(base.rsample(10, (3,)).sum(), base.mean)
    assert torch.equal(grads[0], torch.full((3,), 10.0, dtype=torch.float64))
