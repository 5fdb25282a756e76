"""A degrader as a step of somebody else's data pipeline."""

from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from flowkit_deflow.degraders.degrader import SupportsDegrade
from flowkit_deflow.degraders.registry import load_degrader
from flowkit_deflow.images.checks import require_temperature

__all__ = ["Degradation"]


class Degradation(nn.Module):
    r"""Degrade clean images on the fly: a module without gradients, for the data pipeline of a restoration network.

    :math:`y \sim p_\tau(y \mid x)`, with the temperature :math:`\tau`.

    Args:
        model: anything that degrades: a :class:`DeFlow`, a :class:`WhiteNoise`, or an object of another library with
            the method of :class:`SupportsDegrade`. The parameters of a module are frozen.
        temperature: strength of the degradation, or a range ``(low, high)`` to draw one from per call.

    Raises:
        TypeError: ``model`` has no method ``degrade``.
        ValueError: the temperature is negative or not finite, or the range is not rising.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        eq. 8.

    Examples:
        >>> from flowkit_deflow.degraders.white_noise import WhiteNoise
        >>> degrade = Degradation(WhiteNoise(sigma=0.1), temperature=(0.8, 1.2))
        >>> degrade(torch.rand(3, 20, 30)).shape
        torch.Size([3, 20, 30])
    """

    def __init__(self, model: SupportsDegrade, temperature: float | tuple[float, float] = 1.0) -> None:
        super().__init__()
        if not isinstance(model, SupportsDegrade):
            raise TypeError(
                f"a {type(model).__name__} has no method degrade(images, temperature, samples, generator); give a "
                "degrader such as DeFlow or WhiteNoise"
            )
        if isinstance(model, nn.Module):
            model.eval().requires_grad_(False)
        self.model = model
        self.low, self.high = temperature if isinstance(temperature, tuple) else (temperature, temperature)
        for bound in (self.low, self.high):
            require_temperature(bound)
        if self.low > self.high:
            raise ValueError(f"temperature is {temperature}; expected (low, high) with low <= high")

    @classmethod
    def from_pretrained(cls, folder: str | Path, temperature: float | tuple[float, float] = 1.0) -> Self:
        """Read a model folder of any kind; see :func:`load_degrader`."""
        return cls(load_degrader(folder), temperature)

    def train(self, mode: bool = True) -> Self:
        """Stay in evaluation mode: the degradation is data, not a part of what is trained."""
        return super().train(False)

    def forward(self, images: Tensor, generator: torch.Generator | None = None) -> Tensor:
        """Degrade.

        Args:
            images: ``3 x H x W`` or ``B x 3 x H x W`` in [0, 1], of any size.
            generator: source of randomness; ``None`` for PyTorch's global one.

        Returns:
            Images of the same shape, in [0, 1].
        """
        device = "cpu" if generator is None else generator.device
        draw = torch.rand((), generator=generator, device=device).item()
        batch = images if images.ndim == 4 else images[None]
        with torch.no_grad():
            degraded = self.model.degrade(batch, self.low + draw * (self.high - self.low), generator=generator)
        return degraded if images.ndim == 4 else degraded[0]
