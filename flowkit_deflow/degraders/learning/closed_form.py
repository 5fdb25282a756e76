"""Degraders that are measured rather than trained."""

import logging
from collections.abc import Callable, Iterator
from pathlib import Path

from torch import Tensor

from flowkit_deflow.degraders.camera_noise import CameraNoise
from flowkit_deflow.degraders.handwritten.pipeline import HandWritten
from flowkit_deflow.degraders.identity import Identity
from flowkit_deflow.degraders.learning.folders import clean_images, degraded_images
from flowkit_deflow.degraders.learning.learner import Learned
from flowkit_deflow.degraders.mixture import Mixture
from flowkit_deflow.degraders.registry import load_degrader
from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.flat_patches import FAINTEST, FlatPatchNoise, measure_flat_patches
from flowkit_deflow.settings.degraders import CameraRun, FolderData, HandWrittenRun, MixtureRun, NoneRun, WhiteRun

__all__ = ["measure_camera_noise", "measure_white_noise", "mix", "no_degradation", "write_down"]

_log = logging.getLogger(__name__)


def no_degradation(run: NoneRun, out: Path, progress: bool) -> Learned:
    """The degrader that leaves images as they are."""
    return Learned(Identity(), [])


def write_down(run: HandWrittenRun, out: Path, progress: bool) -> Learned:
    """A hand-written degradation by its name."""
    return Learned(HandWritten(run.pipeline.name, run.pipeline.scale), [])


def measure_white_noise(run: WhiteRun, out: Path, progress: bool) -> Learned:
    """White noise of a given strength, or of the degraded images' at their flat places.

    What the picture itself has there counts as noise: without clean images, it is not known.

    Raises:
        UserError: no image can be measured.
    """
    problems: list[str] = []
    sigma = run.noise.sigma
    if sigma is None:
        sigma = _flat_places(degraded_images, run.data, problems).spectrum.overall_std
        _tell(sigma)
    return Learned(WhiteNoise((0.0, sigma) if run.noise.uniform else sigma), problems)


def measure_camera_noise(run: CameraRun, out: Path, progress: bool) -> Learned:
    """What the degraded images have at flat places, less what the clean ones have.

    Raises:
        UserError: no image of a folder can be measured.
    """
    problems: list[str] = []
    degraded, clean = (_flat_places(part, run.data, problems) for part in (degraded_images, clean_images))
    noise = degraded - clean
    _tell(noise.spectrum.overall_std)
    return Learned(CameraNoise(noise), problems)


def mix(run: MixtureRun, out: Path, progress: bool) -> Learned:
    """A mixture of degraders that are there already.

    Raises:
        UserError: no folder is given, one of them is no model folder, or its degrader makes images smaller.
    """
    if not run.mixture.folders:
        raise UserError("a mixture needs degraders; name their model folders with --set mixture.folders=[A,B]")
    parts = [load_degrader(folder) for folder in run.mixture.folders]
    try:
        return Learned(Mixture(parts, run.mixture.weights), [])
    except ValueError as error:
        raise UserError(f"mixture.folders={list(run.mixture.folders)}: {error}") from None


def _tell(std: float) -> None:
    doubt = ", so that next to nothing is added; are the folders right?" if std < FAINTEST else ""
    _log.info("Noise at flat places: %.1f grey levels%s", 255 * std, doubt)


def _flat_places(
    images: Callable[[FolderData, list[str]], Iterator[Tensor]], data: FolderData, problems: list[str]
) -> FlatPatchNoise:
    try:
        return measure_flat_patches(images(data, problems))
    except ValueError as error:
        raise UserError(f"{data.clean if images is clean_images else data.degraded}: {error}") from None
