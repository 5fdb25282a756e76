"""What a run's settings point at, told by its content and not by its path."""

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple, Self

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_listing import list_images
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.model_folder import CONFIG, model_folder_of
from flowkit_deflow.settings.schema import Training
from flowkit_deflow.training.data import UnpairedCrops

__all__ = ["Fingerprint", "fingerprint_of", "fingerprints_of_data", "fingerprints_of_weights"]

# Enough of a file's start and end to tell photographs apart; reading them whole would take minutes from a slow disk.
EDGE = 4096  # bytes


class Fingerprint(NamedTuple):
    """Files in a folder, moved or not.

    Attributes:
        files: how many.
        digest: hash of their names below the folder, their sizes, and each one's first and last ``EDGE`` bytes.
    """

    files: int
    digest: str

    @classmethod
    def of(cls, files: Iterable[Path], folder: Path) -> Self:
        """The fingerprint of files below a folder, in any order.

        Examples:
            >>> import tempfile
            >>> folder = Path(tempfile.mkdtemp())
            >>> (folder / "a.png").write_bytes(b"pixels")
            6
            >>> first = Fingerprint.of([folder / "a.png"], folder)
            >>> first == Fingerprint.of([(folder / "a.png").rename(folder / "b.png")], folder)
            False
        """
        total = hashlib.sha256()
        files = sorted(files, key=lambda file: file.relative_to(folder).as_posix())
        for file in files:
            name = file.relative_to(folder).as_posix()
            total.update(hashlib.sha256(os.fsencode(name)).digest() + _edges(file))
        return cls(len(files), total.hexdigest())

    @classmethod
    def together(cls, parts: Iterable[Self]) -> Self:
        """One fingerprint of several, in their order; of a single one, itself."""
        first, *others = parts
        if not others:
            return first
        digests = "".join(part.digest for part in (first, *others))
        return cls(first.files + sum(part.files for part in others), hashlib.sha256(digests.encode()).hexdigest())


def fingerprint_of(place: Path) -> Fingerprint:
    """The fingerprint of what a setting points at: a folder of images, a model folder or a run, or a file.

    Raises:
        UserError: it is missing, cannot be read, or is a folder of neither images nor a model.
    """
    model = model_folder_of(place)
    if place.is_file() or (model / CONFIG).exists():
        return _of_weights(model)
    return Fingerprint.of(list_images(place), place)


def fingerprints_of_data(crops: UnpairedCrops) -> dict[str, Fingerprint]:
    """Fingerprints of the images that can be trained on or held out, and of the blur kernels, by the settings' names.

    Args:
        crops: the training data.
    """
    data = crops.data
    folders = {"clean": (Domain.CLEAN, data.clean), "degraded": (Domain.DEGRADED, data.degraded)}
    found = {
        f"data.{name}": Fingerprint.of([*crops.files[domain], *crops.held_out[domain]], Path(folder))
        for name, (domain, folder) in folders.items()
        if folder is not None
    }
    if crops.kernels:
        values = b"".join(kernel.numpy().tobytes() for kernel in crops.kernels)
        found["data.kernels"] = Fingerprint(len(crops.kernels), hashlib.sha256(values).hexdigest())
    return found


def fingerprints_of_weights(training: Training) -> dict[str, Fingerprint]:
    """Fingerprints of the weights that a run starts from, by the settings' names.

    Args:
        training: the settings.

    Raises:
        UserError: a file is missing or cannot be read.
    """
    places = {"encoder_weights": training.encoder_weights, "initial_model": training.initial_model}
    return {f"training.{name}": _of_weights(Path(place)) for name, place in places.items() if place is not None}


def _of_weights(place: Path) -> Fingerprint:
    folder = place / "model" if (place / "model").is_dir() else place
    files = [file for file in folder.glob("*") if file.is_file()] if folder.is_dir() else [folder]
    return Fingerprint.of(files, folder)


def _edges(file: Path) -> bytes:
    """A hash of a file's size, start and end."""
    try:
        with file.open("rb") as opened:
            start = opened.read(EDGE)
            size = opened.seek(0, os.SEEK_END)
            opened.seek(max(size - EDGE, 0))
            return hashlib.sha256(str(size).encode() + start + opened.read()).digest()
    except OSError as error:
        raise UserError(f"{file}: cannot be read ({error.strerror}); check the path and its permissions") from None
