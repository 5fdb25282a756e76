"""Pictures that are made up, for benchmarks that ask for nothing of what photographs show."""

from pathlib import Path

import torch
from torch import Tensor

from flowkit_deflow.images.image_files import write_image
from flowkit_deflow.images.noise import seeded_generator

__all__ = ["NOISE", "make_photographs", "picture"]

# Standard deviation of a bad camera's noise, for values in [0, 1].
NOISE = 0.08


def picture(height: int, width: int, noise: float, generator: torch.Generator) -> Tensor:
    """Waves of three colours, with white noise; ``3 x height x width`` in [0, 1]."""
    rows, columns = torch.meshgrid(torch.linspace(0, 1, height), torch.linspace(0, 1, width), indexing="ij")
    waves, phase = (torch.rand(3, 1, 1, generator=generator) for _ in range(2))
    waved = 0.5 + 0.3 * torch.sin((1 + 9 * waves) * (rows + 2 * columns) + 6 * phase)
    return (waved + noise * torch.randn(waved.shape, generator=generator)).clamp(0, 1)


def make_photographs(folder: Path, count: int, height: int, width: int) -> None:
    """Write two unrelated folders of pictures, ``clean`` and ``degraded``."""
    for domain, noise in (("clean", 0.0), ("degraded", NOISE)):
        for number in range(count):
            generator = seeded_generator(number, domain)
            write_image(folder / domain / f"{number:02}.png", picture(height, width, noise, generator))
