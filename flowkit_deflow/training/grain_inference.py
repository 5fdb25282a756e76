"""Measuring what generated images lack at flat places, after training."""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch
from torch import Tensor

from flowkit_deflow.images.flat_patches import FlatPatches
from flowkit_deflow.images.middle import middle
from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.method.model import DeFlow

__all__ = ["FLATTEST", "MOST_IMAGES", "infer_grain"]

MOST_IMAGES = 40  # of either domain
LARGEST = 512  # pixels of an image's middle
# The share of an image's patches that count as flat, here where generated and real patches are compared, and what both
# have of the picture cancels. All images count: the level of a camera's noise differs from image to image, and the
# quieter ones alone, which measure noise best, lacked nothing of it on PolyU.
FLATTEST = 0.1


@torch.no_grad()
def infer_grain(model: DeFlow, images: Callable[[Domain], Iterable[tuple[Path, Tensor]]], seed: int = 0) -> None:
    r"""Measure the grain: the spectrum by which degraded images exceed generated ones at flat places.

    .. math:: S = \left(S_y - S_{\hat y}\right)_+

    with the mean spectra S of the flattest tenth of each image's patches, for degraded images :math:`y` and for
    versions :math:`\hat y` of clean ones that the model generates without grain, rounded to 8 bits as images are.

    Args:
        model: a model whose shift is measured; its grain is set, and stays zero where the images have no flat places.
            One without grain stays as it is.
        images: gives the domain's images, 3 x H x W in [0, 1]; at most 40 of each, of other scenes.
        seed: of the generated images.
    """
    grain = model.grain
    if grain is None:
        return
    grain.forget()
    flat = {domain: FlatPatches(FLATTEST, quietest=1.0) for domain in Domain}
    for domain, patches in flat.items():
        for number, (_, image) in enumerate(images(domain)):
            shown = middle(image, LARGEST)
            if domain is Domain.CLEAN:
                shown = model.degrade(shown[None], noise=SeededNoise(seed, f"grain {number}"))[0]
                shown = (255 * shown).round() / 255
            patches.add(shown)
    try:
        lacking = flat[Domain.DEGRADED].result().spectrum - flat[Domain.CLEAN].result().spectrum
    except ValueError:
        # Images that are smaller than a patch, or clipped everywhere.
        return
    grain.measure(lacking)
