"""DeFlow as a step of somebody else's data pipeline."""

from pathlib import Path
from typing import Self

import torch
from torch import Tensor, nn

from flowkit_deflow.method.model import DeFlow

__all__ = ["DeFlowDegradation"]


class DeFlowDegradation(nn.Module):
    r"""Degrade clean images on the fly: a module without gradients, for the data pipeline of a restoration network.

    :math:`y = f_h^{-1}(f_h(x) + \tau u)`, with the temperature :math:`\tau`; see :class:`DeFlow`.

    Args:
        model: a trained model; its parameters are frozen.
        temperature: factor on the shift between the domains, or a range ``(low, high)`` to draw one from per call.

    Raises:
        ValueError: the range is not rising.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        eq. 8.

    Examples:
        >>> from flowkit_deflow.settings.presets import PRESETS
        >>> model = DeFlow(PRESETS["tiny"].architecture)
        >>> model.initialize(torch.rand(4, 3, 16, 16), torch.tensor([0, 1, 0, 1]))
        >>> degrade = DeFlowDegradation(model, temperature=(0.8, 1.2))
        >>> degrade(torch.rand(3, 20, 30)).shape
        torch.Size([3, 20, 30])
    """

    def __init__(self, model: DeFlow, temperature: float | tuple[float, float] = 1.0) -> None:
        super().__init__()
        self.model = model.eval().requires_grad_(False)
        self.low, self.high = temperature if isinstance(temperature, tuple) else (temperature, temperature)
        if self.low > self.high:
            raise ValueError(f"temperature is {temperature}; expected (low, high) with low <= high")

    @classmethod
    def from_pretrained(cls, folder: str | Path, temperature: float | tuple[float, float] = 1.0) -> Self:
        """Read a model folder; see :meth:`DeFlow.from_pretrained`."""
        return cls(DeFlow.from_pretrained(folder), temperature)

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
        degraded = self.model.degrade(batch, self.low + draw * (self.high - self.low), generator=generator)
        return degraded if images.ndim == 4 else degraded[0]
