"""Noise of degraded images, without their clean partners: what their flattest patches hold besides a plane."""

import torch
from torch import Tensor

from flowkit_deflow.images.noise import seeded_generator

__all__ = ["flat_noise"]

SIDE = 8
# Of all patches, by their variance: the very flattest are saturated or in the dark, the others hold texture.
FLATTEST, FLAT = 0.05, 0.15


def flat_noise(images: Tensor) -> Tensor:
    """Noise like that of degraded images: a mosaic of their flattest patches, less a plane each.

    Its colours are those of the noise in flat places, and so is its level, if neighbours are independent; correlated
    noise comes out a quarter weaker and its neighbours by a third less alike, and what is longer than a patch is lost.

    Args:
        images: degraded images, ``B x 3 x H x W``, their sides at least 8 pixels.

    Returns:
        Noise of the images' shape, its mean 0 in each patch.

    Examples:
        >>> ramp = torch.linspace(0, 1, 32).expand(4, 3, 32, 32)
        >>> noise = 0.02 * torch.randn(4, 3, 32, 32, generator=torch.Generator().manual_seed(0))
        >>> round(float(flat_noise(ramp / 2 + noise).std()), 2)
        0.02
    """
    # C x 8 x 8 patches in rows.
    patches = images.unfold(-2, SIDE, SIDE).unfold(-2, SIDE, SIDE).permute(0, 2, 3, 1, 4, 5).reshape(-1, 3, SIDE**2)
    noise = patches - patches @ _onto_planes(images)
    # A plane takes three of the numbers' degrees of freedom.
    noise = noise * (SIDE**2 / (SIDE**2 - 3)) ** 0.5
    order = noise.square().mean((1, 2)).argsort()
    low, high = int(FLATTEST * len(order)), max(int(FLAT * len(order)), int(FLATTEST * len(order)) + 1)
    flat = noise[order[low:high]]
    rows, columns = (-(-size // SIDE) for size in images.shape[-2:])
    count = len(images) * rows * columns
    chosen = torch.randint(len(flat), (count,), generator=seeded_generator(0, "flat noise")).to(flat.device)
    tiles = flat[chosen].reshape(len(images), rows, columns, 3, SIDE, SIDE).permute(0, 3, 1, 4, 2, 5)
    return tiles.reshape(len(images), 3, rows * SIDE, columns * SIDE)[..., : images.shape[-2], : images.shape[-1]]


def _onto_planes(like: Tensor) -> Tensor:
    """The projection of a patch's numbers onto planes, ``64 x 64``."""
    position = torch.arange(SIDE, dtype=like.dtype, device=like.device) - (SIDE - 1) / 2
    rows, columns = torch.meshgrid(position, position, indexing="ij")
    planes = torch.stack([torch.ones_like(rows), rows, columns]).flatten(1)
    planes = planes / planes.norm(dim=1, keepdim=True)
    return planes.T @ planes
