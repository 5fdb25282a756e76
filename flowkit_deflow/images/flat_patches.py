"""The noise of a set of images, measured where the picture is flat: no pairs are needed."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit_deflow.images.noise_spectrum import NoiseSpectrum, cosine_basis

__all__ = ["BRIGHTNESS_EDGES", "FAINTEST", "PATCH", "FlatPatchNoise", "FlatPatches", "measure_flat_patches"]

PATCH = 32  # pixels
STRIDE = 16  # pixels
FLATTEST = 0.03  # share of an image's patches
# Waves of up to 6 half periods across a patch, counted over both directions, hold most of what a picture has there
# and little of what its noise has: patches are ranked by them.
RANKED_WAVES = 6
# Those of up to 3 are the picture's shading even in a flat patch: noise is taken to be as strong there as just above.
SHADING_WAVES = 3
QUIETEST = 0.5  # share of the images
CLIPPED = 0.02  # share of a patch's values at 0 or 1 from which on its noise is cut off
BRIGHTNESS_BINS = 8
BRIGHTNESS_EDGES: tuple[float, ...] = tuple(edge / BRIGHTNESS_BINS for edge in range(BRIGHTNESS_BINS + 1))
"""The edges of the bins of `FlatPatchNoise.brightness_std`."""
FAINTEST = 0.7 / 255
"""The standard deviation below which there is next to no noise; rounding to 8 bits alone has 0.3 / 255."""
FEWEST_IMAGES = 3  # of which a bin of brightness needs patches


class _Image(NamedTuple):
    """What is kept of an image: spectrum, brightness and waves of its flattest patches, and variance by brightness."""

    power: Tensor
    brightness: float
    waves: float
    brightness_variance: Tensor


@dataclass(frozen=True, eq=False)
class FlatPatchNoise:
    """The noise of a set of images at its flat places, with what the picture itself has there.

    The picture's share is that of clean images measured alike: ``degraded - clean`` leaves the noise.

    Attributes:
        spectrum: second moments of the patches' values about their shading.
        brightness_variance: variance of the patches, by their mean brightness between `BRIGHTNESS_EDGES`; shape (8,),
            NaN where fewer than 3 images have flat patches.
        images: how many images had a patch to measure.

    Examples:
        >>> noisy = [0.5 + 0.02 * torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(i)) for i in range(8)]
        >>> noise = measure_flat_patches(noisy)
        >>> bool(0.019 < noise.spectrum.overall_std < 0.021)
        True
    """

    spectrum: NoiseSpectrum
    brightness_variance: Tensor
    images: int

    def __sub__(self, clean: Self) -> "FlatPatchNoise":
        """The noise that these images have more of than the clean ones, of other scenes."""
        return FlatPatchNoise(
            self.spectrum - clean.spectrum, self.brightness_variance - clean.brightness_variance, self.images
        )

    def scaled(self, factor: float) -> "FlatPatchNoise":
        """Noise like this of so many times its standard deviation."""
        spectrum = NoiseSpectrum(factor**2 * self.spectrum.power)
        return FlatPatchNoise(spectrum, factor**2 * self.brightness_variance, self.images)

    @property
    def brightness_std(self) -> Tensor:
        """Standard deviation by brightness, in [0, 1] units, shape (8,); 0 where the variance is below 0."""
        return self.brightness_variance.clamp_min(0).sqrt()


class FlatPatches:
    r"""Collect the flat patches of images, one image at a time.

    Each image gives the 3 % of its 32 x 32 patches (every 16 pixels) with the least energy in the waves of up to 6
    half periods across the patch, planes included. Noise adds little to these and the picture much, so that patches
    are hardly chosen for having little noise. Patches with over 2 % of their values at 0 or 1 are left out.
    What is measured are the channels' covariances at all frequencies of the patches' DCT, averaged over the patches of
    an image and then over **the quieter half of the images**: those in which flat places are flattest. The waves of up
    to 3 half periods, shading, are taken to have what those just above have.

    Against pairs (PolyU's cameras, and white, correlated and camera noise made on BSDS500; 30 to 40 images a set) the
    difference of a degraded and a clean set of other scenes gives the standard deviation of the noise *at flat places*
    within 2 to 25 %, too high where the scenes are textured, and the share of it that survives downsampling by 4 within
    0.05. In PolyU's images the noise at flat places is half as strong as it is on average.

    Args:
        flattest: the share of an image's patches that are measured.

    Examples:
        >>> patches = FlatPatches()
        >>> for seed in range(8):
        ...     patches.add(0.5 + 0.02 * torch.randn(3, 64, 64, generator=torch.Generator().manual_seed(seed)))
        >>> patches.result().images
        8
    """

    def __init__(self, flattest: float = FLATTEST) -> None:
        self.flattest = flattest
        self._images: list[_Image] = []
        self._basis = cosine_basis(PATCH)
        waves = torch.arange(PATCH)[:, None] + torch.arange(PATCH)
        low = waves[: RANKED_WAVES + 1, : RANKED_WAVES + 1]
        self._ranked = ((low > 0) & (low <= RANKED_WAVES)).float()
        self._shading = waves <= SHADING_WAVES
        self._above_shading = ~self._shading & (waves <= SHADING_WAVES + 2)

    def add(self, image: Tensor) -> None:
        """Measure an image; one that is too small or clipped everywhere is passed over.

        Args:
            image: 3 x H x W, in [0, 1].

        Raises:
            ValueError: the image is not 3 x H x W.
        """
        if image.ndim != 3 or image.shape[0] != 3:
            raise ValueError(f"the image has the shape {tuple(image.shape)}; expected 3 x H x W")
        if min(image.shape[1:]) < PATCH:
            return
        image = image.float().cpu()
        roughness, brightness, usable = self._ranking(image)
        places = usable.flatten().nonzero()[:, 0]
        if len(places) == 0:
            return
        roughness, brightness = roughness.flatten()[places], brightness.flatten()[places]
        flattest = self._flattest(roughness, torch.arange(len(places)))
        power = self._power(image, places[flattest], usable.shape[1]).mean(0)
        waves = math.sqrt(float(roughness[flattest].mean()) / (len(image) * PATCH**2))
        variance = self._by_brightness(image, places, roughness, brightness, usable.shape[1])
        self._images.append(_Image(power, float(brightness[flattest].mean()), waves, variance))

    @property
    def spectra(self) -> Tensor:
        """The mean power of each image's flattest patches, N x 3 x 3 x B x B, as in ``NoiseSpectrum``; N may be 0.

        All images count, the noisier half too. The image whose flattest patches are darkest comes first.
        """
        powers = [image.power for image in sorted(self._images, key=lambda image: image.brightness)]
        return torch.stack(powers) if powers else torch.empty(0, 3, 3, PATCH, PATCH)

    @property
    def waves(self) -> float:
        """How flat the patches are: by how much the ranked waves move their pixels, in [0, 1] units.

        The standard deviation in each image's flattest patches, and of all images the median; NaN without any.
        """
        return torch.tensor([image.waves for image in self._images]).median().item() if self._images else math.nan

    def result(self) -> FlatPatchNoise:
        """The mean over the quieter half of the images.

        Raises:
            ValueError: no image had a patch to measure.
        """
        if not self._images:
            raise ValueError(
                f"no image holds a patch of {PATCH} x {PATCH} pixels that is not clipped; give images that are larger "
                "or less over- and underexposed"
            )
        totals = torch.stack([image.power.diagonal().sum() for image in self._images])
        quietest = totals.argsort()[: math.ceil(QUIETEST * len(totals))]
        spectrum = torch.stack([self._images[index].power for index in quietest.tolist()]).mean(0)
        return FlatPatchNoise(NoiseSpectrum(spectrum), self._brightness_variance(), len(self._images))

    def _ranking(self, image: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Energy of the ranked waves, brightness and usability of all patches; rows of patches x columns of them."""
        lowest = self._basis[: RANKED_WAVES + 1]
        # Rows first, then columns: no patch is copied out before it is chosen.
        by_rows = image.unfold(1, PATCH, STRIDE) @ lowest.T
        coefficients = torch.einsum(
            "crpkw,lw->crpkl", by_rows.movedim(3, 2).unfold(3, PATCH, STRIDE).movedim(3, 2), lowest
        )
        roughness = (coefficients.square() * self._ranked).sum((0, 3, 4))
        brightness = coefficients[..., 0, 0].mean(0) / PATCH
        clipped = ((image <= 0) | (image >= 1)).float().mean(0)
        return roughness, brightness, F.avg_pool2d(clipped[None], PATCH, STRIDE)[0] < CLIPPED

    def _power(self, image: Tensor, places: Tensor, columns: int) -> Tensor:
        """Products of the channels' coefficients in the patches at some places, N x 3 x 3 x B x B."""
        corners = [(STRIDE * (place // columns), STRIDE * (place % columns)) for place in places.tolist()]
        patches = torch.stack([image[:, top : top + PATCH, left : left + PATCH] for top, left in corners])
        coefficients = self._basis @ _without_planes(patches) @ self._basis.T
        power = coefficients[:, :, None] * coefficients[:, None]
        power[..., self._shading] = power[..., self._above_shading].mean(-1, keepdim=True)
        return power

    def _by_brightness(
        self, image: Tensor, places: Tensor, roughness: Tensor, brightness: Tensor, columns: int
    ) -> Tensor:
        """Variance of the flattest patches of each bin of brightness; NaN for a bin with none."""
        bins = (brightness * BRIGHTNESS_BINS).long().clamp(0, BRIGHTNESS_BINS - 1)
        variance = torch.full((BRIGHTNESS_BINS,), math.nan)
        for index in bins.unique().tolist():
            inside = (bins == index).nonzero()[:, 0]
            if len(inside) * self.flattest >= 0.5:
                power = self._power(image, places[self._flattest(roughness[inside], inside)], columns)
                variance[index] = power.diagonal(dim1=1, dim2=2).mean()
        return variance

    def _flattest(self, roughness: Tensor, indices: Tensor) -> Tensor:
        """Those of the indices whose roughness (beside them) is least, at least one."""
        return indices[roughness.argsort()[: max(1, round(self.flattest * len(roughness)))]]

    def _brightness_variance(self) -> Tensor:
        by_image = torch.stack([image.brightness_variance for image in self._images])
        variance = torch.full((BRIGHTNESS_BINS,), math.nan)
        for index, column in enumerate(by_image.T):
            present = column[~column.isnan()].sort().values
            if len(present) >= FEWEST_IMAGES:
                variance[index] = present[: math.ceil(QUIETEST * len(present))].mean()
        return variance


def measure_flat_patches(images: Iterable[Tensor]) -> FlatPatchNoise:
    """The noise of a set of images at its flat places; see `FlatPatches` for how it is measured.

    Args:
        images: 3 x H x W each, in [0, 1]; they are read one after the other.

    Returns:
        The measurement; subtract that of clean images to be rid of the picture's share.

    Raises:
        ValueError: an image is not 3 x H x W, or none had a patch to measure.

    Examples:
        >>> clean = [torch.linspace(0.2, 0.8, 64).expand(3, 64, 64)] * 8
        >>> round(measure_flat_patches(clean).spectrum.overall_std, 4)
        0.0
    """
    patches = FlatPatches()
    for image in images:
        patches.add(image)
    return patches.result()


def _without_planes(patches: Tensor) -> Tensor:
    """Patches less their mean and their slopes along rows and columns, by least squares."""
    offset = torch.arange(PATCH) - (PATCH - 1) / 2
    offset /= offset.norm()
    centred = patches - patches.mean((-2, -1), keepdim=True)
    down = (centred.mean(-1) * offset).sum(-1)[..., None, None] * offset[:, None]
    across = (centred.mean(-2) * offset).sum(-1)[..., None, None] * offset
    return centred - down - across
