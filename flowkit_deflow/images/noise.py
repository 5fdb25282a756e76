"""Where the standard normal numbers of a generated image come from."""

import hashlib
from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

__all__ = ["GeneratorNoise", "NoiseSource", "SeededNoise", "seeded_generator"]


class NoiseSource(Protocol):
    r"""Gives the numbers :math:`\epsilon \sim N(0, I)` for one use of them; any callable of that signature is one.

    Examples:
        >>> def zeros(use, shape):
        ...     return torch.zeros(tuple(shape))
        >>> source: NoiseSource = zeros  # as good as temperature 0
        >>> source("h", (2, 3)).shape
        torch.Size([2, 3])
    """

    def __call__(self, use: str, shape: Sequence[int]) -> Tensor:
        """Standard normal numbers on the CPU, of that shape; ``use`` names what they are for."""


class GeneratorNoise:
    r"""Numbers :math:`\epsilon \sim N(0, I)` from one generator, in the order of the calls.

    Args:
        generator: a generator on any device; ``None`` for PyTorch's global one.

    Examples:
        >>> GeneratorNoise(torch.Generator().manual_seed(0))("h", (2, 3)).shape
        torch.Size([2, 3])
    """

    def __init__(self, generator: torch.Generator | None = None) -> None:
        self.generator = generator

    def __call__(self, use: str, shape: Sequence[int]) -> Tensor:
        """The next numbers."""
        device = "cpu" if self.generator is None else self.generator.device
        return torch.randn(tuple(shape), generator=self.generator, device=device).cpu()


class SeededNoise:
    r"""Numbers :math:`\epsilon \sim N(0, I)` that depend on a seed, a key, their use and shape alone.

    Not on any order, batch or number of workers: an image gets the same ones wherever it is worked on.

    Args:
        seed: any integer.
        key: what tells this image from others, such as its path within the folder.

    Examples:
        >>> noise = SeededNoise(0, "a/b.png")
        >>> torch.equal(noise("h", (4,)), SeededNoise(0, "a/b.png")("h", (4,)))
        True
    """

    def __init__(self, seed: int, key: str) -> None:
        self.seed = seed
        self.key = key

    def __call__(self, use: str, shape: Sequence[int]) -> Tensor:
        """The numbers of that use."""
        return torch.randn(tuple(shape), generator=self.generator(use))

    def generator(self, use: str) -> torch.Generator:
        """A generator of that use's own, for what draws other numbers than normal ones."""
        return seeded_generator(self.seed, self.key, use)


def seeded_generator(seed: int, *keys: str | int) -> torch.Generator:
    """A CPU generator whose state is a hash of a seed and some keys.

    Examples:
        >>> a, b = seeded_generator(0, "x"), seeded_generator(0, "y")
        >>> bool(torch.rand((), generator=a) == torch.rand((), generator=b))
        False
    """
    digest = hashlib.sha256("\0".join(str(key) for key in (seed, *keys)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
