"""White Gaussian noise: the baseline that every learned degradation has to beat."""

from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor, nn

from flowkit_deflow.degraders.degrader import require_degradable
from flowkit_deflow.errors import UserError
from flowkit_deflow.model_folder import read_model_folder, write_model_folder

__all__ = ["WhiteNoise"]


class WhiteNoise(nn.Module):
    r"""Add white Gaussian noise, its strength fixed or drawn for each image.

    .. math:: y = x + \tau \sigma \epsilon, \qquad \epsilon \sim N(0, I), \qquad \sigma \sim U(\sigma_0, \sigma_1)

    cut to [0, 1], with the temperature :math:`\tau`.

    Args:
        sigma: standard deviation of the noise, for images ``B x 3 x H x W`` in [0, 1]: a number, or a range
            :math:`(\sigma_0, \sigma_1)` to draw one from for each version of each image.

    Raises:
        ValueError: a standard deviation is negative or not finite, or the range is not rising.

    References:
        K. Zhang, W. Zuo, Y. Chen, D. Meng, L. Zhang, "Beyond a Gaussian denoiser: residual learning of deep CNN for
        image denoising", IEEE TIP 2017, which trains blind denoisers on a range of strengths.

    Examples:
        >>> noise = WhiteNoise(sigma=(0.0, 0.2))
        >>> noise.degrade(torch.rand(2, 3, 16, 16), samples=3).shape
        torch.Size([3, 2, 3, 16, 16])
    """

    kind: ClassVar[str] = "white-noise"

    def __init__(self, sigma: float | tuple[float, float]) -> None:
        super().__init__()
        self.low, self.high = sigma if isinstance(sigma, tuple) else (sigma, sigma)
        if not 0 <= self.low <= self.high < float("inf"):
            raise ValueError(f"sigma is {sigma}; expected a finite number >= 0, or a rising range (low, high) of them")

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
        require_degradable(images, temperature, samples)
        shape = (samples or 1, *images.shape)
        device = "cpu" if generator is None else generator.device
        strength = torch.rand(shape[:2], generator=generator, device=device).to(images)
        noise = torch.randn(shape, generator=generator, device=device).to(images)
        sigma = self.low + (self.high - self.low) * strength[..., None, None, None]
        versions = (images + temperature * sigma * noise).clamp(0, 1)
        return versions[0] if samples is None else versions

    def save_pretrained(self, folder: str | Path) -> None:
        """Write it as a model folder; see ``flowkit_deflow.model_folder.write_model_folder``."""
        write_model_folder(folder, self.kind, {"sigma": [self.low, self.high]}, self.state_dict())

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read what :meth:`save_pretrained` wrote.

        Raises:
            UserError: a file is missing or damaged, or the folder holds another kind of model.
        """
        stored = read_model_folder(folder)
        stored.require(cls.kind)
        match stored.settings:
            case {"sigma": [float() | int() as low, float() | int() as high], **others} if not others:
                pass
            case _:
                raise UserError(f"{stored.config}: holds the settings {stored.settings}, expected 'sigma': [low, high]")
        try:
            model = cls((low, high))
        except ValueError as error:
            raise UserError(f"{stored.config}: {error}") from None
        stored.load_into(model)
        return model.eval()
