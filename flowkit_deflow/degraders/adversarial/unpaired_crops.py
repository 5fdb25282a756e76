"""Training batches of crops of two unrelated folders."""

from functools import partial
from pathlib import Path
from typing import TypedDict

import torch
from torch import Tensor
from torch.utils.data import Dataset

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_cache import ImageCache
from flowkit_deflow.images.image_files import ImageError, image_size, list_images, read_image
from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.images.resize import bicubic_downsample
from flowkit_deflow.settings.adversarial import AdversarialTraining
from flowkit_deflow.settings.degraders import FolderData

__all__ = ["UnpairedBatch", "UnpairedFolders"]

CACHE_BYTES = 200_000_000


class UnpairedBatch(TypedDict):
    """Crops of both folders.

    ``clean`` and ``degraded`` B x 3 x S x S in [0, 1], ``problems`` the messages of images that could not be read.
    """

    clean: Tensor
    degraded: Tensor
    problems: list[str]


class _Folder:
    """Random crops of one folder's images, downsampled first."""

    def __init__(self, folder: Path, factor: int, side: int, strict: bool, problems: list[str]) -> None:
        self.factor, self.side, self.strict = factor, side, strict
        self.files = [file for file in list_images(folder) if self._usable(file, problems)]
        if not self.files:
            raise UserError(f"{folder}: no image in it can be used; the last problem was: {problems[-1]}")
        self._cache = ImageCache(CACHE_BYTES)

    def crop(self, generator: torch.Generator, turns: int, problems: list[str]) -> Tensor:
        """A crop of a random image; one that cannot be read gives way to the next."""
        first = _integer(len(self.files), generator)
        for number in range(len(self.files)):
            file = self.files[(first + number) % len(self.files)]
            try:
                image = self._cache.get(file, partial(self._read, file))
            except ImageError as error:
                if self.strict:
                    raise
                problems.append(str(error))
                continue
            top, left = (_integer(size - self.side + 1, generator) for size in image.shape[-2:])
            turn = _integer(turns, generator)
            crop = image[:, top : top + self.side, left : left + self.side].rot90(turn % 4, (-2, -1))
            return crop.flip(-1) if turn >= 4 else crop
        raise UserError(f"no image can be read any more, the last was {file}; check the folder")

    def _read(self, file: Path) -> Tensor:
        return bicubic_downsample(read_image(file), self.factor).clamp(0, 1)

    def _usable(self, file: Path, problems: list[str]) -> bool:
        try:
            size = image_size(file)
        except ImageError as error:
            problem = str(error)
        else:
            if -(-min(size) // self.factor) >= self.side:
                return True
            problem = (
                f"{file}: {size[1]} x {size[0]} pixels (downsampled by {self.factor}) are too few for crops of "
                f"{self.side}; set training.crop lower or remove it"
            )
        if self.strict:
            raise UserError(problem)
        problems.append(problem)
        return False


class UnpairedFolders(Dataset[UnpairedBatch]):
    """Item ``n`` is the whole batch of step ``n``: a function of the seed and the step alone.

    Args:
        data: both folders.
        training: crops, batch and seed.

    Attributes:
        problems: messages of images that were left out.

    Raises:
        UserError: a folder is missing or without a usable image.
    """

    def __init__(self, data: FolderData, training: AdversarialTraining) -> None:
        for name, folder in (("clean", data.clean), ("degraded", data.degraded)):
            if folder is None:
                raise UserError(f"no folder of {name} images was given; name it with --{name}")
        self.training = training
        self.problems: list[str] = []
        self.clean, self.degraded = (
            _Folder(Path(folder or ""), factor, training.crop, data.strict, self.problems)
            for folder, factor in ((data.clean, data.clean_downsample), (data.degraded, 1))
        )

    def __getitem__(self, step: int) -> UnpairedBatch:
        problems: list[str] = []
        turns = 8 if self.training.flip else 1

        def crops(folder: _Folder, key: str) -> Tensor:
            sources = (seeded_generator(self.training.seed, key, step, i) for i in range(self.training.batch))
            return torch.stack([folder.crop(source, turns, problems) for source in sources])

        clean, degraded = crops(self.clean, "clean"), crops(self.degraded, "degraded")
        return UnpairedBatch(clean=clean, degraded=degraded, problems=problems)


def _integer(bound: int, generator: torch.Generator) -> int:
    return int(torch.randint(bound, (), generator=generator))
