"""NIQE, from its published model of natural images or one of photographs of one's own."""

import zlib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.metrics.colour import grey_levels
from flowkit_deflow.evaluation.metrics.generalized_gaussian import AsymmetricFit, fit_asymmetric
from flowkit_deflow.evaluation.metrics.metric_files import MetricFiles
from flowkit_deflow.evaluation.metrics.normalized_contrast import normalized_contrast, products_with_neighbours
from flowkit_deflow.images.resize import bicubic_downsample

__all__ = ["BLOCK", "Niqe", "niqe_features"]

BLOCK = 96  # pixels
FEATURES = 36
SCALES = 2
# Blocks of photographs for a model of one's own are kept if they are this sharp, as a share of their image's sharpest.
SHARP = 0.75


def niqe_features(image: Tensor) -> tuple[Tensor, Tensor]:
    """The 36 features of an image's blocks of 96 x 96 pixels, and how sharp the blocks are.

    Args:
        image: ``3 x H x W`` in [0, 1], both sides at least 96; what is left over on the right and below is cut off.

    Returns:
        ``N x 36``, float64, NaN for blocks without any variation, and ``N``.

    Raises:
        ValueError: a side is shorter than a block.

    References:
        A. Mittal, R. Soundararajan, A. C. Bovik, "Making a 'Completely Blind' Image Quality Analyzer", IEEE SPL 2013,
        secs. II A to C.
    """
    height, width = (side // BLOCK * BLOCK for side in image.shape[-2:])
    if not height or not width:
        raise ValueError(f"NIQE needs sides of at least {BLOCK}; the image is {tuple(image.shape)}")
    grey = grey_levels(image[None, :, :height, :width])
    features, sharpness = [], []
    for scale in range(SCALES):
        side = BLOCK >> scale
        coefficients, contrast = (_blocks(part, side) for part in normalized_contrast(grey, "replicate"))
        own = fit_asymmetric(coefficients.flatten(1))
        features += [own.shape, (own.left_std + own.right_std) / 2 * own.scale_factor]
        for products in products_with_neighbours(coefficients).flatten(2):
            features += _of_products(fit_asymmetric(products))
        sharpness.append(contrast.mean((1, 2)))
        grey = bicubic_downsample(grey, 2)
    return torch.stack(features, 1), sharpness[0]


def _of_products(fit: AsymmetricFit) -> list[Tensor]:
    left, right = fit.left_std * fit.scale_factor, fit.right_std * fit.scale_factor
    return [fit.shape, (right - left) * fit.mean_factor, left, right]


def _blocks(image: Tensor, side: int) -> Tensor:
    """``1 x 1 x H x W`` to ``N x side x side``."""
    return image[0, 0].unfold(0, side, side).unfold(1, side, side).flatten(0, 1)


@dataclass(frozen=True)
class Niqe:
    r"""NIQE: how far an image's features are from those of natural images; 0 at best.

    .. math:: \sqrt{(\nu - \mu)^T \left(\tfrac12 (\Sigma + S)\right)^+ (\nu - \mu)}

    with the mean :math:`\nu` and covariance S of the image's blocks.

    Attributes:
        mean: :math:`\mu` of natural images, shape (36,).
        covariance: :math:`\Sigma`, shape (36, 36).

    References:
        A. Mittal, R. Soundararajan, A. C. Bovik, "Making a 'Completely Blind' Image Quality Analyzer", IEEE SPL 2013,
        eq. 10.
    """

    mean: Tensor
    covariance: Tensor

    @classmethod
    def read(cls, files: MetricFiles) -> Self:
        """Read LIVE's model, ``niqe/modelparameters.mat`` (needs scipy).

        Raises:
            UserError: the file is missing or damaged, or scipy is not installed.
        """
        path = files.path("niqe/modelparameters.mat", "NIQE")
        try:
            from scipy.io import loadmat
            from scipy.io.matlab import MatReadError
        except ImportError:
            raise UserError(f"{path}: .mat files need scipy; install it (pip install scipy)") from None
        try:
            contents = loadmat(path, variable_names=["mu_prisparam", "cov_prisparam"])
            mean = torch.from_numpy(contents["mu_prisparam"]).double().view(FEATURES)
            covariance = torch.from_numpy(contents["cov_prisparam"]).double().view(FEATURES, FEATURES)
        except (MatReadError, NotImplementedError, OSError, ValueError, LookupError, TypeError, zlib.error) as error:
            raise UserError(f"{path}: is not NIQE's model of natural images ({error}); get it again") from None
        return cls(mean, covariance)

    @classmethod
    def of_photographs(cls, photographs: Iterable[Tensor]) -> Self:
        """A model of one's own photographs, from the blocks that are three quarters as sharp as their sharpest.

        Args:
            photographs: ``3 x H x W`` each, in [0, 1].

        Raises:
            ValueError: a side is shorter than a block, or there are fewer than two blocks that are not uniform.
        """
        kept = []
        for photograph in photographs:
            features, sharpness = niqe_features(photograph)
            kept.append(features[sharpness > SHARP * sharpness.max()])
        mean, covariance = _moments(torch.cat(kept))
        if covariance.isnan().any():
            raise ValueError("the photographs have fewer than two blocks that are not uniform; give more of them")
        return cls(mean, covariance)

    def __call__(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        """Distances of images; references are ignored.

        Args:
            images: ``B x 3 x H x W`` in [0, 1], both sides at least 96.
            references: ignored.

        Returns:
            ``B`` distances; NaN for an image with fewer than two blocks that are not uniform.
        """
        return torch.stack([self._distance(niqe_features(image)[0]) for image in images])

    def _distance(self, features: Tensor) -> Tensor:
        mean, covariance = _moments(features)
        if covariance.isnan().any():
            return features.new_tensor(torch.nan)
        off = mean - self.mean.to(mean.device)
        return (off @ torch.linalg.pinv((covariance + self.covariance.to(mean.device)) / 2) @ off).sqrt()


def _moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over the known values of each feature; covariance over the blocks whose features are all known."""
    whole = features[~features.isnan().any(1)]
    if len(whole) < 2:
        return features.nanmean(0), features.new_full((FEATURES, FEATURES), torch.nan)
    return features.nanmean(0), whole.T.cov()
