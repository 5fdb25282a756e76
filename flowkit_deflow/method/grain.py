"""Noise of one spectrum everywhere, on top of what the flow generates."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit_deflow.images.flat_patches import PATCH
from flowkit_deflow.images.noise import WindowedNoise
from flowkit_deflow.images.noise_spectrum import NoiseSpectrum
from flowkit_deflow.images.resize import Window

__all__ = ["Grain"]

REACH = PATCH - 1  # pixels that the kernel reaches to each side


class Grain(nn.Module):
    r"""Stationary Gaussian noise of a measured spectrum, which is added to generated images.

    .. math:: n_i(p) = \sum_j \sum_{|d| \le 31} K_{ij}(d)\, \epsilon_j(p + d), \qquad
              \hat K(k) = S(|k|)^{1/2}, \qquad \epsilon \sim N(0, I)

    with the channels' covariances S at each frequency k, scaled to their mean variance at a pixel. What a shift of the
    latents adds follows the picture's detail; this part does not. It is zero, and adds nothing, until it is measured.

    Examples:
        >>> from flowkit_deflow.images.noise import SeededNoise
        >>> grain = Grain()
        >>> grain.measure(NoiseSpectrum(0.01 * torch.eye(3)[:, :, None, None].expand(3, 3, 32, 32)))
        >>> round(grain.std, 4), grain.in_words
        (0.1, 'grain of 25.5 grey levels')
        >>> grain.window(SeededNoise(0, "a.png"), "grain", (1, 3, 64, 96), Window(8, 0, 32, 96)).shape
        torch.Size([1, 3, 32, 96])
    """

    gains: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("gains", torch.zeros(3, 3, PATCH, PATCH))

    @property
    def std(self) -> float:
        """Standard deviation at a pixel, the channels together, in [0, 1] units."""
        return float(self.gains.float().square().sum((0, 1)).mean().div(3).sqrt())

    @property
    def in_words(self) -> str:
        """How strong it is."""
        if self.std > 0:
            return f"grain of {255 * self.std:.1f} grey levels"
        return "no grain (none is lacking, or hardly a place is flat)"

    @torch.no_grad()
    def measure(self, lacking: NoiseSpectrum) -> None:
        """Take the spectrum of what is lacking; where it is negative, nothing is.

        Args:
            lacking: of patches of 32 x 32 pixels.
        """
        self.gains.copy_(lacking.root)

    def forget(self) -> None:
        """Be zero again."""
        self.gains.zero_()

    def window(self, noise: WindowedNoise, use: str, shape: Sequence[int], window: Window) -> Tensor:
        """A part of the noise of whole images; parts that overlap are the same where they do.

        Args:
            noise: the source of the white noise.
            use: what it is for, as the source wants it.
            shape: of the whole images, ``B x 3 x H x W``.
            window: the part.

        Returns:
            ``B x 3`` and the window's size, float32, on the module's device.
        """
        *front, height, width = shape
        wide = Window(window.top, window.left, window.height + 2 * REACH, window.width + 2 * REACH)
        white = noise.window(use, (*front, height + 2 * REACH, width + 2 * REACH), wide).to(self.gains.device).float()
        size = white.shape[-2:]
        response = torch.fft.rfft2(self._kernel(size))
        spectrum = torch.einsum("ijhw,bjhw->bihw", response, torch.fft.rfft2(white))
        field = torch.fft.irfft2(spectrum, s=size)
        return field[..., REACH : REACH + window.height, REACH : REACH + window.width]

    def _kernel(self, size: torch.Size) -> Tensor:
        """The kernel about (0, 0) of a periodic grid that is larger than it, ``3 x 3 x H x W``."""
        # The DCT's frequencies u / 2 B, on both sides of 0; beyond its highest one it is taken to be constant.
        frequency = torch.arange(-PATCH, PATCH, device=self.gains.device).abs().clamp_max(PATCH - 1)
        # Fourier transforms know no half precision.
        both_sides = torch.fft.ifftshift(self.gains.float()[..., frequency, :][..., frequency], dim=(-2, -1))
        kernel = torch.fft.fftshift(torch.fft.ifft2(both_sides).real, dim=(-2, -1))[..., 1:, 1:]
        # A stationary field has not quite the variance of the DCT's coefficients that it was measured by.
        kernel = kernel * (3**0.5 * self.std / kernel.norm())
        padded = F.pad(kernel, (0, size[1] - kernel.shape[-1], 0, size[0] - kernel.shape[-2]))
        return padded.roll((-REACH, -REACH), dims=(-2, -1))
