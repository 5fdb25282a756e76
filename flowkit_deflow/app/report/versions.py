"""Degraded versions of images, written beside them, for an evaluation."""

from itertools import islice
from pathlib import Path
from typing import NamedTuple

from flowkit_deflow.files import atomic_folder
from flowkit_deflow.images.image_files import list_images, read_image, write_image
from flowkit_deflow.images.middle import middle
from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.training.data import UnpairedCrops

__all__ = ["Versions", "degrade_files", "degrade_held_out"]

# Of unpaired images: enough for steady figures, and a minute of a small network's time.
MOST_IMAGES = 16
LARGEST = 512  # pixels of an image's middle
TILE = 512  # pixels


class Versions(NamedTuple):
    """Folders of images that belong together.

    Attributes:
        clean: clean images.
        generated: their degraded versions, by the same names.
        degraded: really degraded images.
    """

    clean: Path
    generated: Path
    degraded: Path


def degrade_held_out(model: DeFlow, crops: UnpairedCrops, out: Path, seed: int) -> Versions:
    """Write the middles of held-out images of both domains, and degraded versions of the clean ones.

    Args:
        model: the model.
        crops: gives the images.
        out: folder for the folders.
        seed: of the shift's noise.

    Returns:
        The folders; at most 16 images of each kind, of at most 512 x 512 pixels.
    """
    versions = Versions(out / "clean", out / "generated", out / "degraded")
    for folder, domain in ((versions.clean, Domain.CLEAN), (versions.degraded, Domain.DEGRADED)):
        with atomic_folder(folder) as temporary:
            for number, (_, image) in enumerate(islice(crops.whole_images(domain), MOST_IMAGES)):
                write_image(temporary / f"{number:02}.png", middle(image, LARGEST))
    _degrade(model, versions.clean, versions.generated, seed)
    return versions


def degrade_files(model: DeFlow, clean: Path, degraded: Path, out: Path, seed: int) -> Versions:
    """Write degraded versions of the clean images of pairs.

    Args:
        model: the model.
        clean: folder of clean images.
        degraded: folder of their really degraded partners.
        out: folder for the versions' folder.
        seed: of the shift's noise.
    """
    versions = Versions(clean, out / "generated", degraded)
    _degrade(model, clean, versions.generated, seed)
    return versions


def _degrade(model: DeFlow, source: Path, target: Path, seed: int) -> None:
    device = next(model.parameters()).device
    with atomic_folder(target) as temporary:
        for file in list_images(source):
            name = file.relative_to(source).with_suffix(".png")
            images = read_image(file)[None].to(device)
            version = model.degrade(images, noise=SeededNoise(seed, name.as_posix()), tile=TILE)[0]
            write_image(temporary / name, version.cpu())
