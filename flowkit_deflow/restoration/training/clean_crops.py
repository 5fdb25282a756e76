"""Training batches of clean crops, and of degraded ones where they have partners."""

from collections.abc import Sequence
from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor
from torch.utils.data import Dataset

from flowkit_deflow.degraders.handwritten.sharpening import UnsharpMask
from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.partners import with_references
from flowkit_deflow.images.image_cache import ImageCache
from flowkit_deflow.images.image_files import ImageError, image_size, list_images, read_image
from flowkit_deflow.images.noise import seeded_generator

__all__ = ["CleanBatch", "CleanCrops"]

CACHE_BYTES = 400_000_000
TURNS = 8


class CleanBatch(TypedDict):
    """Crops of clean images with their degraded partners.

    ``clean`` B x 3 x S x S in [0, 1], ``degraded`` B x 3 x S/s x S/s or None without partners, ``problems`` the
    messages of images that could not be read.
    """

    clean: Tensor
    degraded: Tensor | None
    problems: list[str]


class CleanCrops(Dataset[CleanBatch]):
    """Item ``n`` is the whole batch of step ``n``: a function of the seed and the step alone.

    Crops of clean images and of their degraded partners lie at the same place and are mirrored and turned alike.

    Args:
        clean: folder of clean images.
        degraded: folder of their degraded partners, by the same names; ``None``: there are none.
        scale: the clean image's size over its partner's.
        side: of the crops of clean images (pixels), a multiple of ``scale``.
        batch: crops in a step.
        seed: what the batches depend on, besides the step.
        flip: mirror and turn crops at random.
        sharpen: sharpen the crops of clean images by unsharp masking.
        strict: stop at the first image that cannot be used.

    Attributes:
        problems: messages of images that were left out.

    Raises:
        UserError: a folder is missing or without a usable image, or a pair's sizes do not fit.
    """

    def __init__(
        self,
        clean: Path,
        degraded: Path | None,
        scale: int,
        side: int,
        batch: int,
        seed: int,
        *,
        flip: bool = True,
        sharpen: bool = False,
        strict: bool = False,
    ) -> None:
        self.scale, self.side, self.batch, self.seed = scale, side, batch, seed
        self.turns = TURNS if flip else 1
        self.strict = strict
        self.sharpening = UnsharpMask() if sharpen else None
        self.problems: list[str] = []
        self._cache = ImageCache(CACHE_BYTES)
        if degraded is None:
            pairs: Sequence[tuple[Path, Path | None]] = [(file, None) for file in list_images(clean)]
        else:
            pairs = [(pair.clean, pair.path) for pair in with_references(degraded, clean) if pair.clean is not None]
        self.pairs = [pair for pair in pairs if self._usable(*pair)]
        if not self.pairs:
            raise UserError(f"{clean}: no image in it can be used; the last problem was: {self.problems[-1]}")

    def __getitem__(self, step: int) -> CleanBatch:
        problems: list[str] = []
        crops = [self._crop(seeded_generator(self.seed, "crop", step, i), problems) for i in range(self.batch)]
        degraded = [partner for _, partner in crops if partner is not None]
        clean = torch.stack([crop for crop, _ in crops])
        if self.sharpening is not None:
            clean = self.sharpening.apply(clean, (self.side, self.side), None)
        return CleanBatch(
            clean=clean,
            degraded=torch.stack(degraded) if degraded else None,
            problems=problems,
        )

    def _crop(self, generator: torch.Generator, problems: list[str]) -> tuple[Tensor, Tensor | None]:
        clean, degraded = self._pair(generator, problems)
        height, width = (size // self.scale for size in clean.shape[-2:])
        side = self.side // self.scale
        top, left = (int(torch.randint(size - side + 1, (), generator=generator)) for size in (height, width))
        turn = int(torch.randint(self.turns, (), generator=generator))

        def cut(image: Tensor, scale: int) -> Tensor:
            part = image[:, scale * top : scale * (top + side), scale * left : scale * (left + side)]
            part = part.rot90(turn % 4, (-2, -1))
            return part.flip(-1) if turn >= 4 else part

        return cut(clean, self.scale), None if degraded is None else cut(degraded, 1)

    def _pair(self, generator: torch.Generator, problems: list[str]) -> tuple[Tensor, Tensor | None]:
        """A random image and its partner; those of which one cannot be read give way to the next."""
        first = int(torch.randint(len(self.pairs), (), generator=generator))
        for turn in range(len(self.pairs)):
            clean, degraded = self.pairs[(first + turn) % len(self.pairs)]
            try:
                return self._read(clean), None if degraded is None else self._read(degraded)
            except ImageError as error:
                if self.strict:
                    raise
                problems.append(str(error))
        raise UserError(f"no clean image can be read any more, the last was {clean}; check the folder")

    def _read(self, file: Path) -> Tensor:
        return self._cache.get(file, lambda: read_image(file))

    def _usable(self, clean: Path, degraded: Path | None) -> bool:
        """Whether the images are large enough and fit each other, by their headers."""
        try:
            height, width = image_size(clean)
            partner = None if degraded is None else image_size(degraded)
        except ImageError as error:
            return self._leave_out(str(error))
        if min(height, width) < self.side:
            return self._leave_out(
                f"{clean}: {width} x {height} pixels are too few for crops of {self.side}; set data.crop lower or "
                "remove it"
            )
        if partner is not None and (self.scale * partner[0], self.scale * partner[1]) != (height, width):
            raise UserError(
                f"{clean} has {width} x {height} pixels, its partner {degraded} {partner[1]} x {partner[0]}; the clean "
                f"image of a pair is {self.scale} times as large"
            )
        return True

    def _leave_out(self, message: str) -> bool:
        if self.strict:
            raise UserError(message)
        self.problems.append(message)
        return False
