"""What KernelGAN's kernels blur beyond bicubic downsampling."""

import math

import pytest
import torch
from skimage import data
from torch import Tensor

from flowkit_deflow.images.blur_kernels import apply_kernel
from flowkit_deflow.images.kernel_beyond_bicubic import beyond_bicubic
from flowkit_deflow.images.resize import bicubic_downsample, cubic

BORDER = 8


def gaussian(along: float, across: float, turned: float, side: int) -> Tensor:
    offset = torch.arange(side, dtype=torch.float64) - (side - 1) / 2
    y, x = torch.meshgrid(offset, offset, indexing="ij")
    u, v = math.cos(turned) * x + math.sin(turned) * y, math.cos(turned) * y - math.sin(turned) * x
    kernel = torch.exp(-((u / along).square() + (v / across).square()) / 2)
    return kernel / kernel.sum()


def downsampled_by(kernel: Tensor, image: Tensor, scale: int) -> Tensor:
    """Blurred, moved by the half pixel that centres of even groups are off by, and every so manieth pixel taken."""
    blurred = apply_kernel(image, kernel)
    height, width = blurred.shape[-2:]
    turns = torch.fft.fftfreq(height, dtype=torch.float64)[:, None] + torch.fft.rfftfreq(width, dtype=torch.float64)
    moved = torch.fft.rfft2(blurred) * torch.exp(1j * math.pi * (scale - 1) * turns)
    return torch.fft.irfft2(moved, s=(height, width))[..., ::scale, ::scale]


def psnr(one: Tensor, other: Tensor) -> float:
    inner = (one - other)[..., BORDER:-BORDER, BORDER:-BORDER]
    return -10 * math.log10(float(inner.square().mean()))


@pytest.mark.parametrize(
    ("scale", "kernel"),
    [
        (2, gaussian(2.5, 1.0, 0.5, 13)),
        (2, gaussian(1.6, 1.6, 0.0, 13)),
        (2, gaussian(2.0, 1.2, -1.0, 13)[:, 2:-2]),
        (4, gaussian(4.0, 2.0, 0.5, 37)),
    ],
)
def test_bicubically_downsampled_images_become_those_of_the_kernel(scale: int, kernel: Tensor) -> None:
    image = torch.from_numpy(data.astronaut()).permute(2, 0, 1).double() / 255
    kernel = kernel / kernel.sum()
    wanted, bicubic = downsampled_by(kernel, image, scale), bicubic_downsample(image[None], scale)[0]
    # Bicubic images as they are have 26 to 30 dB, those blurred by the kernel itself no more.
    assert psnr(apply_kernel(bicubic, kernel), wanted) < 30
    assert psnr(apply_kernel(bicubic, beyond_bicubic(kernel, scale)), wanted) > 50


@pytest.mark.parametrize("scale", [2, 4])
def test_beyond_the_bicubic_kernel_nothing_is_blurred(scale: int) -> None:
    taps = cubic(torch.arange(1 - 2 * scale, 2 * scale, dtype=torch.float64) / scale)
    kernel = taps.outer(taps) / taps.sum() ** 2
    result = beyond_bicubic(kernel, scale)
    middle = torch.zeros_like(result)
    middle[result.shape[0] // 2, result.shape[1] // 2] = 1
    # The ridge prefers no blur as well.
    torch.testing.assert_close(result, middle, rtol=0, atol=1e-9)


def test_it_has_a_middle_and_keeps_the_mean() -> None:
    result = beyond_bicubic(gaussian(2.0, 1.0, 0.3, 13).float(), 2)
    assert result.dtype == torch.float32
    assert all(side % 2 for side in result.shape)
    assert float(result.sum()) == pytest.approx(1, abs=1e-6)


def test_what_has_no_middle_is_refused() -> None:
    with pytest.raises(ValueError, match=r"odd sides, with a middle, got the shape \(4, 3\)"):
        beyond_bicubic(torch.ones(4, 3) / 12, 2)
    with pytest.raises(ValueError, match="the scale must be at least 1, got 0"):
        beyond_bicubic(torch.ones(3, 3) / 9, 0)
