"""Networks whose parameters are moved away from their start, and photographs to run them on."""

from collections.abc import Iterable
from dataclasses import replace

import torch
from skimage import data
from torch import Tensor

from flowkit import ZeroConv2d
from flowkit.nn import MixedResolution
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.method.shifts.binned import BinnedShift
from flowkit_deflow.method.shifts.shift import DomainShift
from flowkit_deflow.settings.presets import PRESETS
from flowkit_deflow.settings.schema import Architecture, ChannelStatistics, Normalization

TINY = PRESETS["tiny"].architecture
UNCONDITIONAL = replace(TINY, factor=None)

# Different in every channel, and for h.
NORMALIZATION = Normalization(
    clean=ChannelStatistics((0.40, 0.45, 0.50), (0.20, 0.25, 0.30)),
    degraded=ChannelStatistics((0.50, 0.40, 0.45), (0.25, 0.20, 0.24)),
    clean_h=ChannelStatistics((0.41, 0.46, 0.51), (0.19, 0.24, 0.29)),
    degraded_h=ChannelStatistics((0.51, 0.41, 0.46), (0.22, 0.18, 0.21)),
)


def photograph(name: str = "astronaut") -> Tensor:
    """``1 x 3 x H x W`` in [0, 1]."""
    return torch.from_numpy(getattr(data, name)()).permute(2, 0, 1)[None].float() / 255


def crops(count: int, side: int, seed: int = 0) -> Tensor:
    """Square crops of the astronaut."""
    image = photograph()[0]
    generator = torch.Generator().manual_seed(seed)
    height, width = image.shape[-2:]
    corners = [
        (
            int(torch.randint(height - side, (), generator=generator)),
            int(torch.randint(width - side, (), generator=generator)),
        )
        for _ in range(count)
    ]
    return torch.stack([image[:, top : top + side, left : left + side] for top, left in corners])


def move_shift(shift: DomainShift, deviation: float, generator: torch.Generator) -> None:
    """Add noise to everything that a latent shift is made of, parameters or buffers; a binned one counts as measured,
    its classes among the places of photographs, its clean latents near the standard normal."""
    with torch.no_grad():
        for value in shift.state_dict(keep_vars=True).values():
            if value.is_floating_point():
                value.add_(deviation * torch.randn(value.shape, generator=generator).to(value))
        if isinstance(shift, BinnedShift):
            shift.brightness_centres.copy_(torch.linspace(0.3, 0.7, len(shift.brightness_centres)))
            shift.contrast_centres.copy_(torch.linspace(-4.0, -2.0, len(shift.contrast_centres)))
            shift.clean_root.add_(torch.eye(shift.channels).to(shift.clean_root))
            shift.measured.fill_(True)


def perturbed(
    architecture: Architecture, deviation: float = 0.03, dtype: torch.dtype = torch.float32, seed: int = 0
) -> DeFlow:
    """A model whose couplings, injectors and shifts all do something, its actnorms started from photographs of both
    domains (the degraded ones noisy)."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = DeFlow(architecture)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, ZeroConv2d):
                for parameter in module.parameters():
                    parameter.add_(deviation * torch.randn(parameter.shape, generator=generator))
            elif isinstance(module, DomainShift):
                move_shift(module, 0.1, generator)
    model = model.to(dtype)
    images = crops(8, 48, seed).to(dtype)
    images[1::2] += 0.05 * torch.randn(images[1::2].shape, generator=generator).to(dtype)
    model.initialize(images, torch.tensor([0, 1] * 4))
    return model.eval()


def dense(maps: Iterable[Tensor | MixedResolution]) -> list[Tensor]:
    """An encoder's maps, each as one tensor."""
    return [m.dense() if isinstance(m, MixedResolution) else m for m in maps]
