"""Training batches of unpaired crops, each a function of the seed and the step alone."""

from collections.abc import Iterator, Sequence
from copy import copy
from pathlib import Path
from typing import NamedTuple, Self, TypedDict

import torch
from torch import Tensor
from torch.utils.data import Dataset, Sampler

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.blur_kernels import apply_kernel, read_kernels
from flowkit_deflow.images.image_cache import ImageCache
from flowkit_deflow.images.image_files import ImageError, image_size, list_images, read_image
from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.images.resize import Window, bicubic_downsample
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.settings.schema import Architecture, ChannelStatistics, Data, Normalization
from flowkit_deflow.training.held_out import held_out

__all__ = ["Batch", "StepSampler", "UnpairedCrops", "measure_normalization"]

CACHE_BYTES = 400_000_000


class Batch(TypedDict):
    """Crops of both domains with what is random about them.

    ``images`` B x 3 x S x S, ``h`` B x 3 x S/f x S/f without its noise (or None), ``domain`` B zeros and ones,
    ``h_noise`` standard normal numbers of h's shape, ``dequantization`` uniform numbers in [0, 1) of the images'
    shape, ``source`` B numbers of the images that the crops are from, within their domain, ``problems`` the messages of
    images that could not be read.
    """

    images: Tensor
    h: Tensor | None
    domain: Tensor
    h_noise: Tensor | None
    dequantization: Tensor
    source: Tensor
    problems: list[str]


class _Item(NamedTuple):
    image: Tensor
    h: Tensor | None
    h_noise: Tensor | None
    dequantization: Tensor


class UnpairedCrops(Dataset[Batch]):
    """Item ``n`` is the whole batch of step ``n``: half clean crops, half degraded ones.

    Crops lie on the grid of the network's alignment. h is computed from the whole image's surroundings, so that at
    a crop's border it is what it would be inside the image.

    Args:
        data: folders and crops.
        architecture: gives h's factor and the alignment.
        batch: crops in a step over all processes.
        seed: what the batches depend on, besides the step.
        rank: number of this process.
        world_size: number of processes; each gets its own part of the batch.

    Attributes:
        files: the images of each domain that the crops are from.
        held_out: the images of each domain that they are not from; see :meth:`from_held_out`.
        problems: messages of images that were left out.

    Raises:
        UserError: a folder is missing or without a usable image, or the crop is no multiple of the alignment.
    """

    def __init__(
        self, data: Data, architecture: Architecture, batch: int, seed: int, rank: int = 0, world_size: int = 1
    ) -> None:
        if data.degraded is None:
            raise UserError("no folder of degraded images was given; name it with --degraded")
        if data.clean is None and min(data.clean_downsample) == 1:
            raise UserError(
                "no folder of clean images was given; name it with --clean, or set data.clean_downsample, like [4, 8], "
                "to make them of the degraded ones"
            )
        if data.crop % architecture.alignment:
            raise UserError(
                f"setting 'data.crop' is {data.crop}; with this architecture it has to be a multiple of "
                f"{architecture.alignment}"
            )
        self.data = data
        self.architecture = architecture
        self.batch = batch
        self.seed = seed
        self.rank = rank
        self.world_size = world_size
        self.kernels = [] if data.kernels is None else read_kernels(Path(data.kernels))
        self.problems: list[str] = []
        # Without a folder of its own, domain X is made of the degraded images (sec. 5.4, DPED).
        folders = {
            Domain.CLEAN: Path(data.degraded if data.clean is None else data.clean),
            Domain.DEGRADED: Path(data.degraded),
        }
        usable = {
            Domain.CLEAN: self._usable(folders[Domain.CLEAN], data.clean_downsample),
            Domain.DEGRADED: self._usable(folders[Domain.DEGRADED], (1,)),
        }
        self.held_out = {
            domain: held_out(files, folders[domain], data.held_out, seed) for domain, files in usable.items()
        }
        unseen = {file for files in self.held_out.values() for file in files}
        self.files = {domain: [file for file in files if file not in unseen] for domain, files in usable.items()}
        self._cache = ImageCache(CACHE_BYTES)

    def from_held_out(self) -> Self | None:
        """Whole batches of crops from the held-out images; ``None`` unless some of both domains can be read."""
        if not all(self.held_out.values()):
            return None
        crops = copy(self)
        crops.files, crops.held_out = self.held_out, {domain: [] for domain in Domain}
        crops.rank, crops.world_size = 0, 1
        crops._cache = ImageCache(CACHE_BYTES)
        try:
            self.problems.extend(crops[0]["problems"])
        except UserError as error:
            if self.data.strict:
                raise
            self.problems.append(str(error))
            return None
        return crops

    def whole_images(self, domain: Domain, most: int | None = None) -> Iterator[tuple[Path, Tensor]]:
        """The domain's images as their crops see them, whole: by the first of the factors and of the blur kernels.

        Args:
            domain: the domain.
            most: of how many files at most, spread evenly over all; ``None`` for all.

        Yields:
            Each file that can be read, and its image, ``3 x H x W`` in [0, 1].
        """
        degraded = domain is Domain.DEGRADED
        factor = 1 if degraded else self.data.clean_downsample[0]
        kernel = None if degraded or not self.kernels else 0
        files = self.files[domain]
        for file in files if most is None else files[:: -(-len(files) // most)]:
            try:
                yield file, self._prepared(file, factor, kernel)
            except ImageError as error:
                self._leave_out(str(error))

    def __getitem__(self, step: int) -> Batch:
        share = self.batch // self.world_size
        numbers = range(self.rank * share, (self.rank + 1) * share)
        domains = [Domain.CLEAN if number % 2 == 0 else Domain.DEGRADED for number in numbers]
        problems: list[str] = []
        items = [
            self._crop(domain, self._generator(step, number), problems)
            for number, domain in zip(numbers, domains, strict=True)
        ]
        return Batch(
            images=torch.stack([item.image for item in items]),
            h=_stack([item.h for item in items]),
            domain=torch.tensor(domains),
            h_noise=_stack([item.h_noise for item in items]),
            dequantization=torch.stack([item.dequantization for item in items]),
            source=torch.tensor([self._source(step, *crop) for crop in zip(numbers, domains, strict=True)]),
            problems=problems,
        )

    def _generator(self, step: int, number: int) -> torch.Generator:
        """Decides everything about a crop."""
        return seeded_generator(self.seed, "crop", step, number)

    def _source(self, step: int, number: int, domain: Domain) -> int:
        """Which image a crop is from: the first thing that its generator decides."""
        return _integer(len(self.files[domain]), self._generator(step, number))

    def _crop(self, domain: Domain, generator: torch.Generator, problems: list[str]) -> _Item:
        image = self._image(domain, generator, problems)
        side, alignment = self.data.crop, self.architecture.alignment
        top, left = (alignment * _integer((size - side) // alignment + 1, generator) for size in image.shape[-2:])
        mirrored = [dim for dim in (-2, -1) if _integer(2, generator) and self.data.flip]
        crop = image[:, top : top + side, left : left + side].flip(mirrored)
        dequantization = torch.rand(crop.shape, generator=generator)
        factor = self.architecture.h_factor
        if factor is None:
            return _Item(crop, None, None, dequantization)
        window = Window(top // factor, left // factor, side // factor, side // factor)
        h = bicubic_downsample(image, factor, window).flip(mirrored)
        return _Item(crop, h, torch.randn(h.shape, generator=generator), dequantization)

    def _image(self, domain: Domain, generator: torch.Generator, problems: list[str]) -> Tensor:
        """A random image of the domain; one that can't be read, or is too small, gives way to the next."""
        files = self.files[domain]
        first = _integer(len(files), generator)
        factors = self.data.clean_downsample if domain is Domain.CLEAN else (1,)
        factor = factors[_integer(len(factors), generator)]
        kernel = _integer(len(self.kernels), generator) if self.kernels and domain is Domain.CLEAN else None
        for turn in range(len(files)):
            file = files[(first + turn) % len(files)]
            try:
                image = self._cached(file, factor, kernel)
            except ImageError as error:
                if self.data.strict:
                    raise
                problems.append(str(error))
                continue
            if min(image.shape[-2:]) >= self.data.crop:
                return image
        raise UserError(f"no {domain.name.lower()} image can be read any more, the last was {file}; check the folder")

    def _cached(self, file: Path, factor: int, kernel: int | None) -> Tensor:
        return self._cache.get((file, factor, kernel), lambda: self._prepared(file, factor, kernel))

    def _prepared(self, file: Path, factor: int, kernel: int | None) -> Tensor:
        image = bicubic_downsample(read_image(file), factor).clamp(0, 1)
        return image if kernel is None else apply_kernel(image, self.kernels[kernel]).clamp(0, 1)

    def _usable(self, folder: Path, factors: Sequence[int]) -> list[Path]:
        """The images that are large enough for one of the factors, by their headers; the others are named."""
        usable = []
        largest = 0
        for file in list_images(folder):
            try:
                height, width = image_size(file)
            except ImageError as error:
                self._leave_out(str(error))
                continue
            smallest = min(height, width)
            largest = max(largest, smallest)
            if -(-smallest // min(factors)) < self.data.crop:
                self._leave_out(
                    f"{file}: {width} x {height} pixels (downsampled by {min(factors)}) are too few for crops of "
                    f"{self.data.crop}; set data.crop lower or remove it"
                )
            else:
                usable.append(file)
        if not usable:
            raise UserError(f"{folder}: no image in it can be used; the last problem was: {self.problems[-1]}")
        if -(-largest // max(factors)) < self.data.crop:
            raise UserError(
                f"setting 'data.clean_downsample' holds {max(factors)}, but no image in {folder} is large enough for "
                f"crops of {self.data.crop} after that; leave it out, or set data.crop lower"
            )
        return usable

    def _leave_out(self, message: str) -> None:
        if self.data.strict:
            raise UserError(message)
        self.problems.append(message)


class StepSampler(Sampler[int]):
    """Step numbers from ``start`` on; its length is that of the whole run, so that progress counts from 0.

    Examples:
        >>> list(StepSampler(3, 5)), len(StepSampler(3, 5))
        ([3, 4], 5)
    """

    def __init__(self, start: int, steps: int) -> None:
        self.start = start
        self.steps = steps

    def __iter__(self) -> Iterator[int]:
        return iter(range(self.start, self.steps))

    def __len__(self) -> int:
        return self.steps


def measure_normalization(crops: UnpairedCrops, batches: int = 64) -> Normalization:
    """Channel statistics of both domains' crops and of their h, from the batches of some steps.

    Args:
        crops: the training crops, of a conditional architecture.
        batches: how many batches to look at.

    Returns:
        Mean and standard deviation per channel.

    Raises:
        UserError: the architecture has no conditioning.
    """
    if crops.architecture.h_factor is None:
        raise UserError("setting 'data.normalize' needs h; give 'architecture.factor' a value, or turn it off")
    seen = [crops[step] for step in range(batches)]

    def statistics(name: str, domain: Domain) -> ChannelStatistics:
        values = torch.cat([batch[name][batch["domain"] == domain] for batch in seen])  # type: ignore[literal-required]
        columns = values.movedim(1, 0).flatten(1).double()
        mean, std = columns.mean(1).tolist(), columns.std(1).clamp_min(1e-3).tolist()
        return ChannelStatistics((mean[0], mean[1], mean[2]), (std[0], std[1], std[2]))

    return Normalization(
        clean=statistics("images", Domain.CLEAN),
        degraded=statistics("images", Domain.DEGRADED),
        clean_h=statistics("h", Domain.CLEAN),
        degraded_h=statistics("h", Domain.DEGRADED),
    )


def _stack(parts: Sequence[Tensor | None]) -> Tensor | None:
    present = [part for part in parts if part is not None]
    return torch.stack(present) if present else None


def _integer(bound: int, generator: torch.Generator) -> int:
    return int(torch.randint(bound, (), generator=generator))
