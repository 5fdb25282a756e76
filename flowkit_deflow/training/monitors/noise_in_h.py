"""How much of the degraded images' noise h still holds: the domain should not be told by it."""

from collections.abc import Iterator
from itertools import islice

from torch import Tensor

from flowkit_deflow.images.flat_patches import FlatPatchNoise, measure_flat_patches
from flowkit_deflow.images.middle import middle
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.settings.schema import Architecture, Run
from flowkit_deflow.training.data import UnpairedCrops
from flowkit_deflow.training.monitors.history import History, Scalars
from flowkit_deflow.training.monitors.monitor import Finding

__all__ = ["find_noise_in_h", "measure_noise_in_h"]

# Images of each domain: the estimate needs some tens.
MOST_IMAGES = 48
# Side of the middle of larger ones (pixels).
LARGEST = 1024
# Standard deviation of what survives over that of the noise that hides it.
SEEN = 0.5


def measure_noise_in_h(crops: UnpairedCrops, architecture: Architecture) -> Scalars:
    """Standard deviations, in grey levels: noise at flat places, what of it survives in h, the noise added to h.

    Args:
        crops: gives the images of both domains; those that the model is trained on may be measured.
        architecture: gives h's factor and its noise.

    Returns:
        The scalars; none without conditioning, or where the images have no flat places.
    """
    if architecture.h_factor is None:
        return {}
    measured = {domain: _flat_noise(_images(crops, domain)) for domain in Domain}
    clean, degraded = measured[Domain.CLEAN], measured[Domain.DEGRADED]
    if clean is None or degraded is None:
        return {}
    spectrum = (degraded - clean).spectrum
    return {
        "flat_noise": 255 * spectrum.overall_std,
        "flat_noise_in_h": 255 * spectrum.surviving_std(architecture.h_factor),
        "h_noise": 255 * architecture.h_std,
    }


def find_noise_in_h(history: History, run: Run) -> Finding | None:
    """Whether h's own noise hides what survives."""
    if not history.series("flat_noise_in_h"):
        return None
    noise, surviving, hiding = (history.last(name) for name in ("flat_noise", "flat_noise_in_h", "h_noise"))
    measured = (
        f"of {noise:.1f} grey levels at flat places {surviving:.1f} survive downsampling by {run.architecture.factor}; "
        f"the noise added to h is {hiding:.1f}"
    )
    if surviving > SEEN * hiding:
        return Finding(
            measured,
            "h may tell the domain, and noise that it tells is not generated: if the noise comes out too weak, raise "
            "architecture.h_noise or architecture.factor",
        )
    return Finding(measured)


def _images(crops: UnpairedCrops, domain: Domain) -> Iterator[Tensor]:
    for _, image in islice(crops.whole_images(domain), MOST_IMAGES):
        yield middle(image, LARGEST)


def _flat_noise(images: Iterator[Tensor]) -> FlatPatchNoise | None:
    try:
        return measure_flat_patches(images)
    except ValueError:
        # Every image is too small, or clipped everywhere.
        return None
