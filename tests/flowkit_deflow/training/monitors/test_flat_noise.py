import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit_deflow.training.monitors.flat_noise import flat_noise


def scenes(count: int, side: int, textured: float) -> Tensor:
    """Ramps, a share of them with a texture of 0.1."""
    ramp = torch.linspace(0.2, 0.8, side)
    images = (ramp[:, None] + ramp) / 2 * torch.ones(count, 3, 1, 1)
    checks = 0.1 * (torch.arange(side)[:, None] + torch.arange(side)).remainder(2).sub(0.5)
    return images + checks * (torch.arange(count) < textured * count)[:, None, None, None]


@pytest.mark.parametrize(("correlated", "level"), [(False, 0.019), (True, 0.015)])
def test_level_colours_and_correlation_are_those_of_the_noise(correlated: bool, level: float) -> None:
    generator = torch.Generator().manual_seed(0)
    white = torch.randn(32, 1, 32, 32, generator=generator).expand(-1, 3, -1, -1)
    if correlated:
        kernel = torch.tensor([0.25, 0.5, 0.25])
        padded = F.pad(white[:, :1], (1, 1, 1, 1), mode="circular")
        white = F.conv2d(padded, (kernel[:, None] * kernel)[None, None]).expand(-1, 3, -1, -1)
        white = white / white.std()
    noise = 0.02 * white
    found = flat_noise(scenes(32, 32, textured=0.5) + noise)
    inner, wanted = ((n[..., 1:] * n[..., :-1]).mean() / n.square().mean() for n in (found, noise))
    # Patches are chosen by their variance, from the lower tenth, and planes hold a part of correlated noise: it comes
    # out a little weak, or by a quarter. Planes and the breaks between patches take a third of the correlation as well.
    assert float(found.std()) == pytest.approx(level, rel=0.1)
    assert float(inner) == pytest.approx(2 / 3 * float(wanted), abs=0.1)
    torch.testing.assert_close(found[:, 0], found[:, 2], atol=1e-6, rtol=0)


def test_sides_that_are_no_multiple_of_a_patch() -> None:
    noise = flat_noise(torch.rand(8, 3, 20, 28, generator=torch.Generator().manual_seed(0)))
    assert noise.shape == (8, 3, 20, 28)
