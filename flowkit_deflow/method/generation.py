"""Images from images: encode, edit the latents, decode, tile by tile."""

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from torch import Tensor

from flowkit import Bijector
from flowkit_deflow.images.noise import WindowedNoise
from flowkit_deflow.images.resize import Window
from flowkit_deflow.images.tiling import Piece, Tile, tiles
from flowkit_deflow.method.latent_edits import LatentEdit, Latents
from flowkit_deflow.settings.schema import Architecture

__all__ = ["MARGIN", "MARGIN_PER_BLOCK", "Views", "generate", "tiles_for"]

# What a tile sees around what is kept of it, in pixels of h. Border effects decay with distance; deeper encoders need a
# wider margin. tests/flowkit_deflow/images/test_tiling.py bounds what is left.
MARGIN = 16
MARGIN_PER_BLOCK = 1.5
# How many times the image's pixels all tiles with their margins may hold.
MOST_WORK = 10


class Views(NamedTuple):
    """Images that are looked at window by window, so that a large one is never held as a whole.

    Attributes:
        shape: ``B x 3 x H x W``, the sides multiples of the alignment.
        shared: the pixels of a window, in the shared colours.
        h: what the flow is conditioned on, for a window **of the images**; ``None`` without conditioning.
    """

    shape: tuple[int, int, int, int]
    shared: Callable[[Window], Tensor]
    h: Callable[[Window], Tensor | None]


def generate(
    bijector: Bijector[Tensor, Latents],
    images: Views,
    edit: LatentEdit,
    noise: WindowedNoise,
    samples: int,
    parts: Sequence[Tile],
) -> Iterator[Piece]:
    """Encode, edit the latents, decode; every sample of a tile under one conditioning pass.

    Args:
        bijector: the flow, from images to latents given h.
        images: what to work on.
        edit: what happens to the latents.
        noise: the edit's source of standard normal numbers; a tile's are those of its place in the image.
        samples: how many versions of each image, >= 1.
        parts: the tiles to work in; their inner windows cover the image.

    Yields:
        Each sample of each tile, in the shared colours: all samples of the first tile, then of the next.
    """
    batch, *event = images.shape
    shapes = [(batch, *shape) for shape in bijector.output_shape(tuple(event))]
    for tile in parts:
        # A function of its own: what a tile's conditioning holds is given back before the next one's is made.
        yield from _versions_of_tile(bijector, images, edit, noise, samples, shapes, tile)


def _versions_of_tile(
    bijector: Bijector[Tensor, Latents],
    images: Views,
    edit: LatentEdit,
    noise: WindowedNoise,
    samples: int,
    shapes: Sequence[tuple[int, ...]],
    tile: Tile,
) -> Iterator[Piece]:
    """All samples of a tile; ``shapes`` are those of the whole images' latents."""
    outer, inner = tile
    shared, h = images.shared(outer), images.h(outer)
    bound = bijector.bind(h)
    z: Latents = bound(shared)[0] if edit.encodes else ()
    windows = [_at_lower_resolution(outer, images.shape[-1] // shape[-1]) for shape in shapes]
    top, left = inner.top - outer.top, inner.left - outer.left
    for s in range(samples):
        draws = [
            tuple(
                noise.window(f"sample {s} draw {d} level {i}", shape, window).to(shared)
                for i, (shape, window) in enumerate(zip(shapes, windows, strict=True))
            )
            for d in range(edit.draws)
        ]
        pixels, _ = bound.inverse(edit.change(z, draws, h))
        yield Piece(s, inner, pixels[..., top : top + inner.height, left : left + inner.width])


def tiles_for(config: Architecture, height: int, width: int, side: int | None) -> list[Tile]:
    """The tiles in which a network works through an image.

    Tiles that together see more than ten times the image are enlarged, and the log says so.

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
    given = side = max(side // alignment, 1) * alignment
    pixels_of_h = max(MARGIN, MARGIN_PER_BLOCK * config.encoder_blocks)
    margin = math.ceil((config.h_factor or 4) * pixels_of_h / alignment) * alignment
    parts = list(tiles(height, width, side, margin, alignment))
    while sum(outer.height * outer.width for outer, _ in parts) > MOST_WORK * height * width:
        side *= 2
        parts = list(tiles(height, width, side, margin, alignment))
    if side > given:
        logging.getLogger(__name__).info(
            "tiles of %d pixels see %d more on each side, over %d times the work of the image; tiles of %d are used",
            *(given, margin, MOST_WORK, side),
        )
    return parts


def _at_lower_resolution(window: Window, step: int) -> Window:
    return Window(*(number // step for number in window))
