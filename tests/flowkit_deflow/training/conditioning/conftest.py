"""Scenes for trials with h."""

import torch
from torch import Tensor

from flowkit_deflow.images.noise import seeded_generator

SIZE = 128


def scene(seed: int) -> Tensor:
    """Shaded surfaces, with rough ground in the lower third: half of it fine, half of it coarse."""
    generator = seeded_generator(seed, "scene")
    grid = 0.25 + 0.5 * torch.rand(1, 3, 4, 4, generator=generator)
    image = torch.nn.functional.interpolate(grid, size=(SIZE, SIZE), mode="bicubic")[0]
    fine = 0.04 * torch.randn(1, SIZE, SIZE, generator=generator)
    coarse = 0.04 * torch.randn(1, SIZE // 4, SIZE // 4, generator=generator)
    ground = fine + coarse.repeat_interleave(4, 1).repeat_interleave(4, 2)
    ground[:, : 2 * SIZE // 3] = 0
    return (image + ground).clamp(0, 1)


def white(seed: int, std: float) -> Tensor:
    """White noise."""
    return std * torch.randn(3, SIZE, SIZE, generator=seeded_generator(seed, "noise"))


def coarse(seed: int, std: float) -> Tensor:
    """Noise whose grain is some 10 pixels wide: nearly all of it survives in h of factor 4."""
    noise = torch.nn.functional.interpolate(white(seed, 1.0)[None, :, ::6, ::6], size=(SIZE, SIZE), mode="bicubic")[0]
    return noise * std / noise.std()
