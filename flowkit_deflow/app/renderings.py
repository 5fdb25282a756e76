"""What becomes of one image, as functions for :func:`flowkit_deflow.app.apply.apply_to_images`."""

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from flowkit_deflow.app.rendering import Rendering, Work
from flowkit_deflow.degraders.degrader import Degrader, TiledDegrader
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.images.padded import PaddedImages
from flowkit_deflow.images.resize import Window
from flowkit_deflow.images.tiling import Piece

__all__ = ["degraded", "degraded_pieces", "downsampled", "in_strips", "in_unit_range", "whole", "with_mean"]

# Rows of a large image that are floating-point numbers at a time: the image itself stays as bytes.
STRIP = 256


def in_unit_range(images: Tensor) -> Tensor:
    """Images as floating-point numbers in [0, 1], where they may be bytes."""
    return images.float() / 255 if images.dtype is torch.uint8 else images


def whole(sample: int, images: Tensor) -> Piece:
    """A result in one piece."""
    return Piece(sample, Window(0, 0, *images.shape[-2:]), images)


def in_strips(sample: int, images: Tensor) -> Iterator[Piece]:
    """An image as a result, some rows at a time.

    Args:
        sample: which result it is.
        images: ``1 x 3 x H x W``, floating-point in [0, 1] or bytes.

    Examples:
        >>> [piece.window.height for piece in in_strips(0, torch.zeros(1, 3, 300, 4, dtype=torch.uint8))]
        [256, 44]
    """
    height, width = images.shape[-2:]
    for top in range(0, height, STRIP):
        rows = images[..., top : top + STRIP, :]
        yield Piece(sample, Window(top, 0, rows.shape[-2], width), in_unit_range(rows))


def downsampled(images: Tensor, factor: int) -> Tensor:
    """What :func:`flowkit_deflow.images.resize.bicubic_downsample` makes of an image, some rows at a time, in [0, 1].

    Args:
        images: ``1 x 3 x H x W``, floating-point in [0, 1] or bytes; the factor divides both sides.
        factor: by how much.
    """
    whole_image = PaddedImages(images, factor, torch.float32)
    rows = factor * max(STRIP // factor, 1)
    height, width = images.shape[-2:]
    strips = [Window(top, 0, min(rows, height - top), width) for top in range(0, height, rows)]
    return torch.cat([whole_image.downsampled(strip, factor) for strip in strips], -2).clamp(0, 1)


def with_mean(pieces: Iterator[Piece], samples: int) -> Iterator[Piece]:
    """Pieces of samples, with those of the samples' mean as one sample more.

    Args:
        pieces: all samples of one part of an image, then of the next.
        samples: how many there are.

    Examples:
        >>> pieces = iter([whole(0, torch.zeros(1, 3, 1, 1)), whole(1, torch.ones(1, 3, 1, 1))])
        >>> [(piece.sample, piece.pixels[0, 0, 0, 0].item()) for piece in with_mean(pieces, 2)]
        [(0, 0.0), (1, 1.0), (2, 0.5)]
    """
    total = torch.zeros(())
    for piece in pieces:
        yield piece
        total = piece.pixels if piece.sample == 0 else total + piece.pixels
        if piece.sample == samples - 1:
            yield piece._replace(sample=samples, pixels=total / samples)


def degraded_pieces(
    degrader: Degrader,
    images: Tensor,
    temperature: float,
    samples: int,
    noise: SeededNoise,
    tile: int,
    device: torch.device,
) -> Iterator[Piece]:
    """Degraded versions of an image, the same whichever machine, order or number of samples they are made in.

    Args:
        degrader: on ``device``.
        images: ``1 x 3 x H x W``, floating-point in [0, 1] or bytes.
        temperature: of the degrader.
        samples: how many versions.
        noise: source of randomness.
        tile: side of the tiles of a degrader that has tiles (pixels).
        device: where it is done.

    Yields:
        The parts of the versions.

    Raises:
        UserError: the degrader changes the size of images.
    """
    if isinstance(degrader, TiledDegrader):
        yield from degrader.degrade_pieces(images, temperature, samples, noise=noise, tile=tile)
        return
    clean = in_unit_range(images).to(device)
    for sample in range(samples):
        version = degrader.degrade(clean, temperature, None, noise.generator(f"degrade {sample}"))
        if version.shape != clean.shape:
            raise UserError(
                f"the degrader makes {version.shape[-1]} x {version.shape[-2]} pixels of {clean.shape[-1]} x "
                f"{clean.shape[-2]}; use one that keeps the size (scale 1)"
            )
        yield whole(sample, version)


def degraded(
    degrader: Degrader, temperature: Callable[[SeededNoise], float], samples: int, tile: int, device: torch.device
) -> Work:
    """The work of degrading an image; see :func:`degraded_pieces`.

    Args:
        degrader: on ``device``.
        temperature: an image's, from its source of randomness.
        samples: how many versions.
        tile: side of the tiles of a degrader that has tiles (pixels).
        device: where it is done.
    """

    def work(images: Tensor, noise: SeededNoise) -> Rendering:
        strength = temperature(noise)
        pieces = degraded_pieces(degrader, images, strength, samples, noise, tile, device)
        height, width = images.shape[-2:]
        return Rendering([(height, width)] * samples, pieces, {"temperature": strength})

    return work
