"""Training batches of paired crops: a clean image's and its degraded version's, cut at the same place."""

from pathlib import Path

import torch
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import ImageError, image_size, list_images
from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.settings.schema import Architecture, Data
from flowkit_deflow.training.data import Batch, UnpairedCrops

__all__ = ["PairedCrops", "crops_of"]


class PairedCrops(UnpairedCrops):
    """Item ``n`` is the whole batch of step ``n``: clean crop, its degraded version, the next clean crop, ...

    Images of the same name below the two folders are pairs; the suffix may differ. Both crops of a pair lie at the same
    place, are mirrored alike and get the same dequantisation noise, and both have the clean crop's h.

    Args:
        data: folders and crops, ``data.pairs`` being true.
        architecture: gives h's factor and the alignment.
        batch: crops in a step over all processes, two for each pair.
        seed: what the batches depend on, besides the step.
        rank: number of this process.
        world_size: number of processes; each gets its own part of the batch.

    Raises:
        UserError: an image has no partner, or one of another size, or the settings do not go with pairs.
    """

    def __init__(
        self, data: Data, architecture: Architecture, batch: int, seed: int, rank: int = 0, world_size: int = 1
    ) -> None:
        if data.clean is None:
            raise UserError("pairs need a folder of clean images; name it with --clean")
        if architecture.shift == "none":
            raise UserError("setting 'architecture.shift' is 'none', but pairs train the shift itself; choose another")
        if architecture.normalization is not None:
            raise UserError(
                "setting 'architecture.normalization' brings two domains together, but pairs have the same colours; "
                "set it to null"
            )
        super().__init__(data, architecture, batch, seed, rank, world_size)
        self._align(Path(data.clean), Path(data.degraded or ""))

    def __getitem__(self, step: int) -> Batch:
        batch = super().__getitem__(step)
        if batch["h"] is not None:
            batch["h"] = batch["h"][::2].repeat_interleave(2, dim=0)
        return batch

    def _align(self, clean_folder: Path, degraded_folder: Path) -> None:
        """Put the images of both domains into one order; those whose partner is not usable are left out."""
        everything = {_name(file, clean_folder) for file in list_images(clean_folder)}
        usable = [*self.files[Domain.CLEAN], *self.held_out[Domain.CLEAN]]
        clean = {_name(file, clean_folder): file for file in usable}

        def aligned(files: list[Path]) -> dict[Domain, list[Path]]:
            names = {file: _name(file, degraded_folder) for file in files}
            for file, name in names.items():
                if name not in everything:
                    raise UserError(
                        f"{file}: no image in {clean_folder} is called {name!r}; pairs have the same names: add its "
                        "clean partner or remove it"
                    )
            pairs = [(clean[name], file) for file, name in names.items() if name in clean]
            for pair in pairs:
                _require_one_size(*pair)
            return {Domain.CLEAN: [file for file, _ in pairs], Domain.DEGRADED: [file for _, file in pairs]}

        # The degraded images decide which pairs are held out.
        self.files, self.held_out = (aligned(part[Domain.DEGRADED]) for part in (self.files, self.held_out))
        if not self.files[Domain.CLEAN]:
            raise UserError(f"{clean_folder} and {degraded_folder}: no pair in them can be used; check the images")

    def _generator(self, step: int, number: int) -> torch.Generator:
        """The same for both crops of a pair, so that they are alike in all that is drawn."""
        return seeded_generator(self.seed, "pair", step, number // 2)

    def _image(self, domain: Domain, generator: torch.Generator, problems: list[str]) -> Tensor:
        """An image of a random pair; one of which an image can't be read gives way to the next pair."""
        pairs = list(zip(self.files[Domain.CLEAN], self.files[Domain.DEGRADED], strict=True))
        first = int(torch.randint(len(pairs), (), generator=generator))
        for turn in range(len(pairs)):
            try:
                images = [self._cached(file, 1, None) for file in pairs[(first + turn) % len(pairs)]]
            except ImageError as error:
                if self.data.strict:
                    raise
                problems.append(str(error))
                continue
            return images[int(domain)]
        raise UserError(f"no pair can be read any more, the last was {pairs[first - 1]}; check the folders")


def crops_of(
    data: Data, architecture: Architecture, batch: int, seed: int, rank: int = 0, world_size: int = 1
) -> UnpairedCrops:
    """The crops that the settings ask for: paired ones or unpaired ones.

    Args:
        data: folders and crops.
        architecture: gives h's factor and the alignment.
        batch: crops in a step over all processes.
        seed: what the batches depend on, besides the step.
        rank: number of this process.
        world_size: number of processes.

    Raises:
        UserError: a folder or setting does not fit.
    """
    return (PairedCrops if data.pairs else UnpairedCrops)(data, architecture, batch, seed, rank, world_size)


def _require_one_size(clean: Path, degraded: Path) -> None:
    (height, width), (other_height, other_width) = image_size(clean), image_size(degraded)
    if (height, width) != (other_height, other_width):
        raise UserError(
            f"{clean} has {width} x {height} pixels, its partner {degraded} {other_width} x {other_height}; "
            "the images of a pair have the same size"
        )


def _name(file: Path, folder: Path) -> str:
    return file.relative_to(folder).with_suffix("").as_posix()
