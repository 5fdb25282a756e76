"""Images from images: encode, edit the latents, decode, tile by tile."""

import math
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from torch import Tensor

from flowkit import Bijector
from flowkit_deflow.images.noise import NoiseSource
from flowkit_deflow.images.resize import Window
from flowkit_deflow.images.tiling import Tile, tiles
from flowkit_deflow.method.latent_edits import LatentEdit, Latents
from flowkit_deflow.settings.schema import Architecture

__all__ = ["MARGIN", "MARGIN_PER_BLOCK", "Piece", "generate", "tiles_for"]

# What a tile sees around what is kept of it, in pixels of h. Border effects decay with distance; deeper encoders need a
# wider margin. tests/flowkit_deflow/images/test_tiling.py bounds what is left.
MARGIN = 16
MARGIN_PER_BLOCK = 1.5


class Piece(NamedTuple):
    """A finished part of a generated image.

    Attributes:
        sample: which of the samples it belongs to, from 0.
        window: where it lies in the image.
        pixels: ``B x 3 x window.height x window.width``, in the shared colours.
    """

    sample: int
    window: Window
    pixels: Tensor


def generate(
    bijector: Bijector[Tensor, Latents],
    shared: Tensor,
    h: Tensor | None,
    edit: LatentEdit,
    noise: NoiseSource,
    samples: int,
    parts: Sequence[Tile],
) -> Iterator[Piece]:
    """Encode, edit the latents, decode; every sample of a tile under one conditioning pass.

    Args:
        bijector: the flow, from images to latents given h.
        shared: images in the shared colours, ``B x 3 x H x W``, their sides multiples of the alignment.
        h: what the flow is conditioned on, at a lower resolution; ``None`` without conditioning.
        edit: what happens to the latents.
        noise: the edit's source of standard normal numbers.
        samples: how many versions of each image, >= 1.
        parts: the tiles to work in; their inner windows cover the image.

    Yields:
        Each sample of each tile.
    """
    shapes = bijector.output_shape(tuple(shared.shape[1:]))
    # Drawn for the whole image before it is cut: a tile's numbers do not depend on the tiles.
    numbers = [
        [
            tuple(noise(f"sample {s} draw {d} level {i}", (len(shared), *shape)) for i, shape in enumerate(shapes))
            for d in range(edit.draws)
        ]
        for s in range(samples)
    ]
    for outer, inner in parts:
        h_part = None if h is None else _cut(h, outer, shared)
        bound = bijector.bind(h_part)
        z: Latents = bound(_cut(shared, outer, shared))[0] if edit.encodes else ()
        top, left = inner.top - outer.top, inner.left - outer.left
        for s, draws in enumerate(numbers):
            cut = [tuple(_cut(level, outer, shared).to(shared) for level in draw) for draw in draws]
            pixels, _ = bound.inverse(edit.change(z, cut, h_part))
            yield Piece(s, inner, pixels[..., top : top + inner.height, left : left + inner.width])


def tiles_for(config: Architecture, height: int, width: int, side: int | None) -> list[Tile]:
    """The tiles in which a network works through an image.

    Args:
        config: the network's architecture: the deeper its encoder, the wider the margin.
        height: of the image, a multiple of ``config.alignment`` (pixels).
        width: likewise.
        side: of the tiles, rounded to a multiple of the alignment; ``None`` for the whole image in one.

    Examples:
        >>> [tuple(tile.inner) for tile in tiles_for(Architecture(), 64, 160, side=100)]
        [(0, 0, 64, 96), (0, 96, 64, 64)]
    """
    if side is None:
        whole = Window(0, 0, height, width)
        return [Tile(whole, whole)]
    alignment = config.alignment
    side = max(side // alignment, 1) * alignment
    pixels_of_h = max(MARGIN, MARGIN_PER_BLOCK * config.encoder_blocks)
    margin = math.ceil((config.h_factor or 4) * pixels_of_h / alignment) * alignment
    return list(tiles(height, width, side, margin, alignment))


def _cut(values: Tensor, window: Window, image: Tensor) -> Tensor:
    """The window of the image, cut out of something of a lower resolution."""
    step = image.shape[-1] // values.shape[-1]
    top, left, height, width = (number // step for number in window)
    return values[..., top : top + height, left : left + width]
