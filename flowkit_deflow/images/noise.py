"""Where the standard normal numbers of a generated image come from."""

import hashlib
from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import torch
from torch import Tensor

from flowkit_deflow.images.resize import Window

__all__ = ["GeneratorNoise", "NoiseSource", "SeededNoise", "WindowedNoise", "seeded_generator", "windowed"]

# Side of the square blocks in which seeded numbers are drawn. A window draws every block that it touches: larger blocks
# waste more at its edges, smaller ones cost a generator each (20 microseconds, as much as drawing 2000 numbers).
BLOCK = 32


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


@runtime_checkable
class WindowedNoise(NoiseSource, Protocol):
    r"""A source whose numbers :math:`\epsilon \sim N(0, I)` for a part of an image can be had without the rest.

    Examples:
        >>> isinstance(SeededNoise(0, "a.png"), WindowedNoise)
        True
    """

    def window(self, use: str, shape: Sequence[int], window: Window) -> Tensor:
        """What :meth:`__call__` returns of ``shape``, ``(..., H, W)``, cut to a window of its last two dimensions."""


class SeededNoise:
    r"""Numbers :math:`\epsilon \sim N(0, I)` that depend on a seed, a key, their use, shape and place alone.

    Not on any order, batch or number of workers: an image gets the same ones wherever it is worked on. The source is
    counter-based: the last two dimensions are cut into blocks, and each block's generator starts from a hash that
    counts it, so that a window costs what it holds, and tiles get the same numbers however they lie.

    Args:
        seed: any integer.
        key: what tells this image from others, such as its path within the folder.

    Examples:
        >>> noise = SeededNoise(0, "a/b.png")
        >>> torch.equal(noise("h", (4,)), SeededNoise(0, "a/b.png")("h", (4,)))
        True
        >>> whole = noise("h", (3, 50, 70))
        >>> torch.equal(noise.window("h", (3, 50, 70), Window(20, 30, 25, 40)), whole[:, 20:45, 30:70])
        True
    """

    def __init__(self, seed: int, key: str) -> None:
        self.seed = seed
        self.key = key

    def __call__(self, use: str, shape: Sequence[int]) -> Tensor:
        """The numbers of that use."""
        if len(shape) < 2:
            return torch.randn(tuple(shape), generator=self.generator(use))
        return self.window(use, shape, Window(0, 0, *shape[-2:]))

    def window(self, use: str, shape: Sequence[int], window: Window) -> Tensor:
        """The numbers of that use within a window; see ``WindowedNoise.window``."""
        top, left, height, width = window
        first_row, first_column = top // BLOCK, left // BLOCK
        rows = range(first_row, -(-(top + height) // BLOCK))
        columns = range(first_column, -(-(left + width) // BLOCK))
        numbers = torch.cat(
            [torch.cat([self._block(use, shape, row, column) for column in columns], -1) for row in rows], -2
        )
        top, left = top - first_row * BLOCK, left - first_column * BLOCK
        return numbers[..., top : top + height, left : left + width]

    def _block(self, use: str, shape: Sequence[int], row: int, column: int) -> Tensor:
        generator = seeded_generator(self.seed, self.key, use, row, column)
        return torch.randn((*shape[:-2], BLOCK, BLOCK), generator=generator)

    def generator(self, use: str) -> torch.Generator:
        """A generator of that use's own, for what draws other numbers than normal ones."""
        return seeded_generator(self.seed, self.key, use)


class _Kept:
    """Any source with windows: draws for the whole image at the first call of each use, and keeps the numbers."""

    def __init__(self, noise: NoiseSource) -> None:
        self.noise = noise
        self.numbers: dict[str, Tensor] = {}

    def __call__(self, use: str, shape: Sequence[int]) -> Tensor:
        if use not in self.numbers:
            self.numbers[use] = self.noise(use, shape)
        return self.numbers[use]

    def window(self, use: str, shape: Sequence[int], window: Window) -> Tensor:
        top, left, height, width = window
        return self(use, shape)[..., top : top + height, left : left + width]


def windowed(noise: NoiseSource) -> WindowedNoise:
    """A source for one image's tiles: the source itself if it has windows, otherwise one that keeps what it drew.

    Examples:
        >>> source = windowed(GeneratorNoise())
        >>> whole = source("h", (3, 8, 8))
        >>> torch.equal(source.window("h", (3, 8, 8), Window(2, 0, 6, 8)), whole[:, 2:])
        True
    """
    return noise if isinstance(noise, WindowedNoise) else _Kept(noise)


def seeded_generator(seed: int, *keys: str | int) -> torch.Generator:
    """A CPU generator whose state is a hash of a seed and some keys.

    Examples:
        >>> a, b = seeded_generator(0, "x"), seeded_generator(0, "y")
        >>> bool(torch.rand((), generator=a) == torch.rand((), generator=b))
        False
    """
    # A file's name may hold bytes that are no text; Python stands surrogates in for them.
    text = "\0".join(str(key) for key in (seed, *keys)).encode(errors="surrogateescape")
    digest = hashlib.sha256(text).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:8], "big") >> 1)
