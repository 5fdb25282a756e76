"""Measuring what generated images lack at flat places, after training."""

from collections.abc import Callable, Iterable
from itertools import permutations
from pathlib import Path

import torch
from torch import Tensor

from flowkit_deflow.images.flat_patches import FlatPatches
from flowkit_deflow.images.middle import middle
from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.images.noise_spectrum import NoiseSpectrum
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.method.model import DeFlow

__all__ = ["MOST_IMAGES", "infer_grain", "lacking"]

MOST_IMAGES = 40  # of either domain
LARGEST = 512  # pixels of an image's middle
# The share of an image's patches that count as flat, here where generated and real patches are compared, and what both
# have of the picture cancels. All images count: the level of a camera's noise differs from image to image, and the
# quieter ones alone, which measure noise best, lacked nothing of it on PolyU.
FLATTEST = 0.1
# By how much waves across a patch may move its pixels in half of the images, picture and noise together. PolyU's
# photographs have 0.6 clean and 1.5 noisy, in grey levels, BSDS500's 4 clean: what the flattest places of two of its
# sets differ by is the pictures, not the noise. Noise of which so much is coarse counts as picture too: nothing tells
# the two apart without pairs.
FLAT = 3 / 255
PARTS = 3


@torch.no_grad()
def infer_grain(model: DeFlow, images: Callable[[Domain], Iterable[tuple[Path, Tensor]]], seed: int = 0) -> None:
    """Measure the grain: the spectrum by which degraded images exceed generated ones at flat places; see `lacking`.

    The spectra are those of the flattest tenth of each image's patches. Where these are hardly flat, in half of the
    degraded or of the generated images, be it by the picture or by coarse noise, no grain is measured: two sets of
    pictures differ by more than what is lacking.
    Generated images are versions of the clean ones without grain, rounded to 8 bits as images are.

    Args:
        model: a model whose shift is measured; its grain is set, and stays zero where the images of either domain have
            too few flat places. A model without grain stays as it is.
        images: gives the domain's images, 3 x H x W in [0, 1]; at most 40 of each, of other scenes.
        seed: of the generated images.
    """
    grain = model.grain
    if grain is None:
        return
    grain.forget()
    real, generated = FlatPatches(FLATTEST), FlatPatches(FLATTEST)
    for _, image in images(Domain.DEGRADED):
        real.add(middle(image, LARGEST))
    # Not `>=`: without any patch it is NaN.
    if not real.waves < FLAT:
        return
    for number, (_, image) in enumerate(images(Domain.CLEAN)):
        version = model.degrade(middle(image, LARGEST)[None], noise=SeededNoise(seed, f"grain {number}"))[0]
        generated.add((255 * version).round() / 255)
    if generated.waves < FLAT:
        grain.measure(lacking(real.spectra, generated.spectra))


def lacking(real: Tensor, generated: Tensor) -> NoiseSpectrum:
    r"""The spectrum by which some images exceed others, in all directions alike and as far as at any brightness.

    .. math:: S = a \left(\bar S_y - \bar S_{\hat y}\right)_+, \qquad
              a = \left(\frac{\sum_{s \ne t} \langle P_s, \Delta_t \rangle}
                       {\sum_{s \ne t} \langle P_s, \Delta_s \rangle}\right)_{[0, 1]}

    with means over the images and over the directions of waves, and the positive part at each frequency. A camera's
    noise hardly knows a direction; the weaves and stripes of a few scenes do, and would be seen in what is generated.

    Both sets are parted in three by brightness, and :math:`\Delta_s` is the difference of the s-th parts' means;
    :math:`P_s` projects on the directions of colour in which it is positive. So a is the share of what is lacking in
    one part that another confirms, of other brightness and other images. The positive part by itself is too large: a
    difference that is known from a few images of other scenes is positive somewhere, and what bright images alone lack
    would be too much in dark ones.

    Args:
        real: N x 3 x 3 x B x B, the spectra of N images, from the darkest to the brightest.
        generated: M x 3 x 3 x B x B, likewise.

    Returns:
        The spectrum, nowhere negative; zero for fewer than three images of either kind.

    Examples:
        >>> white = torch.eye(3)[:, :, None, None].expand(8, 3, 3, 32, 32)
        >>> round(lacking(0.05 * white, 0.04 * white).overall_std, 4)
        0.1
    """
    if min(len(real), len(generated)) < PARTS:
        return NoiseSpectrum(torch.zeros(real.shape[1:]))
    parts = zip(real.tensor_split(PARTS), generated.tensor_split(PARTS), strict=True)
    chosen = confirmed = 0.0
    for own, other in permutations([_difference(*part) for part in parts], 2):
        values, vectors = own.eigen
        chosen += float(values.clamp_min(0).sum())
        seen = (vectors.mT @ other.power.to(vectors).permute(2, 3, 0, 1) @ vectors).diagonal(dim1=-2, dim2=-1)
        confirmed += float(seen[values > 0].sum())
    share = min(max(confirmed / chosen, 0.0), 1.0) if chosen > 0 else 0.0
    return NoiseSpectrum(share * _difference(real, generated).positive_part.power)


def _difference(real: Tensor, generated: Tensor) -> NoiseSpectrum:
    return NoiseSpectrum(real.mean(0) - generated.mean(0)).isotropic
