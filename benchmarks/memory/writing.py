"""What a large photograph and its versions take beside the network: reading, holding, encoding and writing them."""

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from torch import Tensor

from flowkit_deflow.app.apply import Outcome, apply_to_images
from flowkit_deflow.app.jobs import Naming, plan
from flowkit_deflow.app.manifest import Manifest
from flowkit_deflow.app.origin import Origin
from flowkit_deflow.app.rendering import Rendering
from flowkit_deflow.app.renderings import in_unit_range
from flowkit_deflow.app.store import Store
from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.images.tiling import Piece, tiles
from flowkit_deflow.training.memory import keep_freed_memory

__all__ = ["writing"]

SIDE = 512


def writing(photograph: str, samples: str) -> Callable[[], Outcome]:
    """The work of a command whose network costs nothing: versions of a photograph are copies of it, tile by tile.

    They are written as PPM, which is as large as the PNG of noise can be and takes no time.

    Args:
        photograph: its path; the sides are multiples of 8.
        samples: how many versions.
    """
    keep_freed_memory()
    count = int(samples)

    def copies(images: Tensor, noise: SeededNoise) -> Rendering:
        height, width = images.shape[-2:]

        def pieces() -> Iterator[Piece]:
            for tile in tiles(height, width, SIDE, 0, 8):
                top, left, rows, columns = tile.inner
                part = in_unit_range(images[..., top : top + rows, left : left + columns])
                for sample in range(count):
                    yield Piece(sample, tile.inner, part)

        return Rendering([(height, width)] * count, pieces())

    def work() -> Outcome:
        with tempfile.TemporaryDirectory() as folder:
            source, out = Path(photograph), Path(folder)
            jobs = plan(source, out, Naming(".ppm", count)).jobs
            return apply_to_images(jobs, copies, Store(Manifest.beside(source, out), Origin("copy", None, {})))

    return work
