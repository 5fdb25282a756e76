"""Gaussian noise as a camera's: correlated, and as strong as the brightness asks."""

from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from flowkit_deflow.degraders.versions import versions
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.flat_patches import FlatPatchNoise
from flowkit_deflow.images.noise_spectrum import NoiseSpectrum
from flowkit_deflow.images.synthetic_noise import add_noise_like
from flowkit_deflow.model_folder import read_model_folder, write_model_folder

__all__ = ["CameraNoise"]


class CameraNoise(nn.Module):
    r"""Add Gaussian noise with a measured spectrum and a measured strength for each brightness.

    .. math:: y = x + \tau\, \frac{\sigma(\bar x)}{\sigma}\, n, \qquad n \sim N(0, S)

    with the stationary covariance S of colours and pixels, its standard deviation :math:`\sigma`, and the strength
    :math:`\sigma(\bar x)` at the pixel's brightness; cut to [0, 1].

    Args:
        noise: what was measured at flat places, see ``flowkit_deflow.images.flat_patches``.

    References:
        A. Foi, M. Trimeche, V. Katkovnik, K. Egiazarian, "Practical Poissonian-Gaussian Noise Modeling and Fitting for
        Single-Image Raw-Data", IEEE TIP 2008, for noise that depends on brightness.

    Examples:
        >>> from flowkit_deflow.images.flat_patches import measure_flat_patches
        >>> noisy = [0.5 + 0.02 * torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(i)) for i in range(8)]
        >>> camera = CameraNoise(measure_flat_patches(noisy))
        >>> camera.degrade(torch.rand(2, 3, 40, 30), samples=3).shape
        torch.Size([3, 2, 3, 40, 30])
    """

    kind: ClassVar[str] = "camera-noise"

    power: Tensor
    brightness_variance: Tensor

    def __init__(self, noise: FlatPatchNoise) -> None:
        super().__init__()
        self.images = noise.images
        self.register_buffer("power", noise.spectrum.power.clone())
        self.register_buffer("brightness_variance", noise.brightness_variance.clone())

    @property
    def noise(self) -> FlatPatchNoise:
        """What was measured, on the CPU."""
        return FlatPatchNoise(NoiseSpectrum(self.power.cpu()), self.brightness_variance.cpu(), self.images)

    def degrade(
        self,
        images: Tensor,
        temperature: float = 1.0,
        samples: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Noisy versions of images.

        Args:
            images: ``B x 3 x H x W`` in [0, 1].
            temperature: factor on the noise.
            samples: how many versions of each; ``None`` for one, without a dimension for it.
            generator: source of randomness; ``None`` for PyTorch's global one.

        Returns:
            ``B x 3 x H x W`` in [0, 1], or ``samples x B x 3 x H x W``.

        Raises:
            ValueError: not a batch of RGB images in [0, 1], ``samples`` is under 1, or the temperature is negative or
                not finite.
        """
        noise = self.noise.scaled(temperature)

        def degrade_one(image: Tensor, source: torch.Generator) -> Tensor:
            return add_noise_like(noise, image, source)

        return versions(degrade_one, images, temperature, samples, generator)

    def save_pretrained(self, folder: str | Path) -> None:
        """Write it as a model folder: ``config.json`` and ``model.safetensors``."""
        write_model_folder(folder, self.kind, {"images": self.images}, self.state_dict())

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read what :meth:`save_pretrained` wrote.

        Raises:
            UserError: a file is missing or damaged, or the folder holds another kind of model.
        """
        stored = read_model_folder(folder)
        stored.require(cls.kind)
        match stored.settings:
            case {"images": int() as images, **others} if not others:
                pass
            case _:
                raise UserError(f"{stored.config}: holds the settings {stored.settings}, expected a number of 'images'")
        power, variance = (stored.state.get(name, torch.zeros(0)) for name in ("power", "brightness_variance"))
        model = cls(FlatPatchNoise(NoiseSpectrum(torch.zeros_like(power)), torch.zeros_like(variance), images))
        stored.load_into(model)
        return model.eval()
