"""BRISQUE, from its published support-vector regression."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.metrics.colour import grey_levels
from flowkit_deflow.evaluation.metrics.generalized_gaussian import fit_asymmetric, fit_symmetric
from flowkit_deflow.evaluation.metrics.metric_files import MetricFiles
from flowkit_deflow.evaluation.metrics.normalized_contrast import normalized_contrast, products_with_neighbours
from flowkit_deflow.images.resize import bicubic_downsample

__all__ = ["Brisque", "SupportVectors", "brisque_features"]

FEATURES = 36
SCALES = 2


def brisque_features(images: Tensor) -> Tensor:
    """The 36 features of natural scenes, at two scales.

    Args:
        images: ``B x 3 x H x W`` in [0, 1].

    Returns:
        ``B x 36``, float64.

    References:
        A. Mittal, A. K. Moorthy, A. C. Bovik, "No-Reference Image Quality Assessment in the Spatial Domain", IEEE TIP
        2012, table I.
    """
    grey = grey_levels(images)
    features: list[Tensor] = []
    for _ in range(SCALES):
        coefficients = normalized_contrast(grey, "constant").coefficients[:, 0]
        features += fit_symmetric(coefficients.flatten(1))
        # The published program shifts the other way along the second diagonal: the same where borders meet.
        for products in products_with_neighbours(coefficients).flatten(2):
            fit = fit_asymmetric(products)
            mean = (fit.right_std - fit.left_std) * fit.mean_factor * fit.scale_factor
            features += [fit.shape, mean, fit.left_std.square(), fit.right_std.square()]
        grey = bicubic_downsample(grey, 2)
    return torch.stack(features, 1)


@dataclass(frozen=True)
class SupportVectors:
    r"""A regression :math:`\sum_i a_i \exp(-\gamma \|x - v_i\|^2) - \rho`.

    Attributes:
        vectors: v, ``N x D``.
        coefficients: a, ``N``.
        gamma: of the kernel.
        rho: what is subtracted.
    """

    vectors: Tensor
    coefficients: Tensor
    gamma: float
    rho: float

    @classmethod
    def read(cls, path: Path, dimensions: int) -> Self:
        """Read a model of libsvm as text.

        Raises:
            UserError: the file cannot be read, or is no such model.
        """
        try:
            head, _, body = path.read_text(encoding="ascii").partition("\nSV\n")
            settings = dict(line.split(" ", 1) for line in head.splitlines())
            rows = [line.split() for line in body.splitlines()]
            vectors = torch.zeros(len(rows), dimensions, dtype=torch.float64)
            for row, (_, *entries) in zip(vectors, rows, strict=True):
                for entry in entries:
                    index, value = entry.split(":")
                    row[int(index) - 1] = float(value)
            coefficients = torch.tensor([float(row[0]) for row in rows], dtype=torch.float64)
            if len(rows) != int(settings["total_sv"]):
                raise ValueError(f"{len(rows)} of {settings['total_sv']} vectors")
            return cls(vectors, coefficients, float(settings["gamma"]), float(settings["rho"]))
        except (OSError, ValueError, LookupError) as error:
            raise UserError(f"{path}: is no support-vector model of libsvm ({error}); get it again") from None

    def __call__(self, features: Tensor) -> Tensor:
        """``B x D`` to ``B`` numbers."""
        # Direct distances: the product form of cdist loses digits.
        distance = (features[:, None] - self.vectors.to(features.device)).square().sum(-1)
        return torch.exp(-self.gamma * distance) @ self.coefficients.to(features.device) - self.rho


@dataclass(frozen=True)
class Brisque:
    """BRISQUE, the blind quality of natural scenes: about 0 for a good image, about 100 for a bad one.

    Attributes:
        regression: from scaled features to the score.
        lowest: the features that are scaled to -1, shape (36,).
        highest: the features that are scaled to 1.

    References:
        A. Mittal, A. K. Moorthy, A. C. Bovik, "No-Reference Image Quality Assessment in the Spatial Domain", IEEE TIP
        2012. Of its programs, this is LIVE's.
    """

    regression: SupportVectors
    lowest: Tensor
    highest: Tensor

    @classmethod
    def read(cls, files: MetricFiles) -> Self:
        """Read LIVE's model: ``brisque/svm_model.txt`` and ``brisque/feature_range.txt``.

        Raises:
            UserError: a file is missing or damaged.
        """
        regression = SupportVectors.read(files.path("brisque/svm_model.txt", "BRISQUE"), FEATURES)
        path = files.path("brisque/feature_range.txt", "BRISQUE")
        try:
            # The first two lines say that the scaled features reach from -1 to 1.
            rows = [line.split() for line in path.read_text(encoding="ascii").splitlines()[2:]]
            ranges = torch.tensor([[float(low), float(high)] for _, low, high in rows], dtype=torch.float64)
        except (OSError, ValueError) as error:
            raise UserError(f"{path}: holds no ranges of features ({error}); get it again") from None
        if ranges.shape != (FEATURES, 2):
            raise UserError(f"{path}: holds {len(ranges)} ranges of features, expected {FEATURES}; get it again")
        return cls(regression, ranges[:, 0], ranges[:, 1])

    def __call__(self, images: Tensor, references: Tensor | None = None) -> Tensor:
        """``B x 3 x H x W`` in [0, 1] to ``B`` scores; references are ignored."""
        features = brisque_features(images)
        lowest, highest = self.lowest.to(features.device), self.highest.to(features.device)
        return self.regression(2 * (features - lowest) / (highest - lowest) - 1)
