"""What degraders that work image by image have in common."""

from collections.abc import Callable

import torch
from torch import Tensor

from flowkit_deflow.degraders.degrader import require_degradable

__all__ = ["DegradeOne", "versions"]

DegradeOne = Callable[[Tensor, torch.Generator], Tensor]
"""From an image ``3 x H x W`` in [0, 1] and a source of randomness on the CPU to its degraded version."""


def versions(
    degrade_one: DegradeOne,
    images: Tensor,
    temperature: float,
    samples: int | None,
    generator: torch.Generator | None,
) -> Tensor:
    """Degraded versions of a batch, drawn one after the other on the CPU.

    Args:
        degrade_one: degrades one image, at the temperature.
        images: ``B x 3 x H x W`` in [0, 1].
        temperature: is checked.
        samples: how many versions of each; ``None`` for one, without a dimension for it.
        generator: source of randomness; ``None`` for PyTorch's global one. Of one on another device, the seed of a
            CPU generator is drawn.

    Returns:
        ``B x 3 x H x W`` in [0, 1], or ``samples x B x 3 x H x W``, where the images are.

    Raises:
        ValueError: not a batch of RGB images in [0, 1], ``samples`` is under 1, or the temperature is negative or not
            finite.

    Examples:
        >>> versions(lambda image, generator: 1 - image, torch.ones(2, 3, 4, 4), 1.0, 5, None).shape
        torch.Size([5, 2, 3, 4, 4])
    """
    require_degradable(images, temperature, samples)
    source = torch.default_generator if generator is None else generator
    if source.device.type != "cpu":
        seed = int(torch.randint(2**62, (), generator=source, device=source.device))
        source = torch.Generator().manual_seed(seed)
    made = [degrade_one(image, source).clamp(0, 1) for _ in range(samples or 1) for image in images.cpu()]
    stacked = torch.stack(made).view(samples or 1, *images.shape).to(images)
    return stacked[0] if samples is None else stacked
