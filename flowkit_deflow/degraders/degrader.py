"""The common face of everything that degrades images."""

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar, Protocol, Self, runtime_checkable

import torch
from torch import Tensor

from flowkit_deflow.images.checks import require_images, require_samples, require_temperature
from flowkit_deflow.images.noise import NoiseSource
from flowkit_deflow.images.tiling import Piece

__all__ = ["Degrader", "SupportsDegrade", "SupportsDomainMap", "TiledDegrader", "require_degradable"]


def require_degradable(images: Tensor, temperature: float, samples: int | None) -> None:
    """Check the arguments of a degrader's ``degrade``, the same for every kind.

    Raises:
        TypeError: the images are no tensor.
        ValueError: they are not a batch of RGB images in [0, 1], the temperature is negative or not finite, or
            ``samples`` is under 1.

    Examples:
        >>> require_degradable(torch.rand(2, 3, 8, 8), -0.5, None)
        Traceback (most recent call last):
        ...
        ValueError: temperature is -0.5; expected a number >= 0: 0 is none, 1 as learned
    """
    require_images(images)
    require_temperature(temperature)
    require_samples(samples)


@runtime_checkable
class SupportsDegrade(Protocol):
    r"""Anything that draws degraded versions of clean images, :math:`y \sim p(y \mid x)`.

    This is all that :class:`Degradation` asks for, of classes of others too.

    Examples:
        >>> class Darker:
        ...     def degrade(self, images, temperature=1.0, samples=None, generator=None):
        ...         darker = images * 0.5**temperature
        ...         return darker if samples is None else darker.expand(samples, *darker.shape)
        >>> isinstance(Darker(), SupportsDegrade)
        True
    """

    def degrade(
        self,
        images: Tensor,
        temperature: float = 1.0,
        samples: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Degraded versions of images.

        Args:
            images: ``B x 3 x H x W`` in [0, 1].
            temperature: strength of the degradation: 0 none, 1 as learned or set.
            samples: how many versions of each; ``None`` for one, without a dimension for it.
            generator: source of randomness; ``None`` for PyTorch's global one.

        Returns:
            ``B x 3 x H x W`` in [0, 1], or ``samples x B x 3 x H x W``.

        Raises:
            ValueError: not a batch of RGB images in [0, 1], ``samples`` is under 1, or the temperature is negative or
                not finite.
        """


class Degrader(SupportsDegrade, Protocol):
    r"""A degrader :math:`p(y \mid x)` of images ``B x 3 x H x W`` that is stored in a folder, under its kind's name.

    To add one: a class with this face in a file of its own, whose ``degrade`` begins with ``require_degradable``,
    and a line in ``flowkit_deflow.degraders.registry.KINDS``.

    Attributes:
        kind: the name under which the registry knows it.

    Examples:
        >>> from flowkit_deflow.degraders.registry import DEGRADERS
        >>> DEGRADERS["deflow"].kind
        'deflow'
    """

    kind: ClassVar[str]

    def save_pretrained(self, folder: str | Path) -> None:
        """Write it as a folder of one format for all kinds: ``config.json`` and ``model.safetensors``."""

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read what :meth:`save_pretrained` wrote, in evaluation mode, on the CPU."""


@runtime_checkable
class SupportsDomainMap(SupportsDegrade, Protocol):
    """A degrader that says where an image looks really degraded, as DASR's does."""

    def domain_map(self, images: Tensor) -> Tensor:
        """How much like real degraded images each place looks.

        Args:
            images: ``B x 3 x H x W`` in [0, 1].

        Returns:
            ``B x 1 x H x W``, from 0 (unlike) to 1.
        """


@runtime_checkable
class TiledDegrader(Degrader, Protocol):
    """A degrader that works through large images tile by tile, with numbers that do not depend on the tiles.

    Attributes:
        tiled: says so, to :func:`isinstance`.
    """

    tiled: ClassVar[bool]

    def degrade(
        self,
        images: Tensor,
        temperature: float = 1.0,
        samples: int | None = None,
        generator: torch.Generator | None = None,
        *,
        noise: NoiseSource | None = None,
        tile: int | None = None,
    ) -> Tensor:
        """As :meth:`SupportsDegrade.degrade`.

        Args:
            images: as there.
            temperature: as there.
            samples: as there.
            generator: as there.
            noise: a source of randomness to use in place of ``generator``.
            tile: side of the tiles in which to work (pixels); ``None``: in one piece.

        Returns:
            As there.
        """

    def degrade_pieces(
        self, images: Tensor, temperature: float, samples: int, *, noise: NoiseSource, tile: int | None = None
    ) -> Iterator[Piece]:
        """As :meth:`degrade`, part by part, for what is too large to be held.

        Args:
            images: as there, or bytes; they may lie on the CPU while the degrader is elsewhere.
            temperature: as there.
            samples: as there.
            noise: source of randomness.
            tile: as there.

        Yields:
            The parts, in [0, 1]: all samples of the first tile, then of the next.
        """
