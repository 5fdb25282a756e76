"""Photographs, and distorted versions of them."""

from collections.abc import Callable

import pytest
import torch
from skimage import data
from torch import Tensor


@pytest.fixture(scope="session")
def photograph() -> Callable[[str], Tensor]:
    """A photograph by name, 1 x 3 x 200 x 288, 8-bit values in [0, 1]."""

    def read(name: str) -> Tensor:
        pixels = torch.from_numpy(getattr(data, name)()[40:240, 60:348].copy())
        return pixels.permute(2, 0, 1)[None].float() / 255

    return read


@pytest.fixture(scope="session")
def noisy() -> Callable[[Tensor], Tensor]:
    """With white noise, 8-bit again."""

    def add(images: Tensor) -> Tensor:
        noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
        return ((images + 0.1 * noise).clamp(0, 1) * 255).round() / 255

    return add
