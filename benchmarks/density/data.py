"""The data: toys, directions, and tables and photographs that ship inside scikit-learn, each with a fixed split.

Nothing is downloaded. A split never depends on a run's seed: every library and every seed is judged on the same
held-out samples, of which no value was seen in training, in scaling or in choosing the step to stop at.

**Dequantisation.** Measured numbers are multiples of a step (a petal is measured to 0.1 cm, a pixel has 17 or 256
levels), and the density of a discrete variable has no bound. Uniform noise as wide as the step is therefore added:
to images anew for every batch in training, to a table's training part in ten copies, once and for all to the held-out
parts. A table's column has for its step the smallest difference of two of its values. Log-likelihoods are those of the
noisy, scaled values.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from sklearn import datasets
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PowerTransformer
from torch import Tensor

from benchmarks.density.directions import DIRECTIONS
from benchmarks.density.toys import TOYS, Array, Toy

__all__ = ["IMAGES", "TABLES", "Data", "load"]

TOY_SAMPLES = (50_000, 2_000, 10_000)
"""Drawn for training, validation, test."""

TILE = 32
"""Side in pixels of the squares of the photographs that go to one part of the split as a whole: patches of two parts
have no pixel in common, and no neighbours but at the tiles' borders."""

COPIES = 10
"""Of a table's training part, each with noise of its own."""

LARGEST_VALIDATION = 2_000
"""Samples: it is scored often, and more would tell no more."""

PARTS = (0.6, 0.2, 0.2)
"""Shares of training, validation, test in the real data."""


@dataclass(frozen=True)
class Data:
    """Samples in float32, ``N x event`` each, scaled."""

    name: str
    description: str
    train: Tensor
    """Without the noise."""
    noise: Tensor
    """Width of the noise of each value, of the event's shape; 0 for none."""
    validation: Tensor
    test: Tensor
    bound: float | None = None
    """Mean log-likelihood of the test samples under the true density, in nats, where that is known."""

    @property
    def event(self) -> tuple[int, ...]:
        return tuple(self.train.shape[1:])

    def gaussian(self) -> float | None:
        """Mean log-likelihood of the test samples under the Gaussian of the training samples.

        ``None`` of directions, and where there are fewer samples than dimensions.
        """
        if self.name in DIRECTIONS or len(self.train) <= self.train[0].numel():
            return None
        x = (self.train + self.noise / 2).flatten(1).double()
        covariance = torch.cov(x.T) + torch.diag(self.noise.flatten().double() ** 2 / 12)
        fitted = torch.distributions.MultivariateNormal(x.mean(0), covariance)
        return float(fitted.log_prob(self.test.flatten(1).double()).mean())

    def uniform(self) -> float | None:
        """The log-density that is the same everywhere, of directions alone."""
        return -float(np.log(DIRECTIONS[self.name].area)) if self.name in DIRECTIONS else None

    def batch(self, size: int, generator: torch.Generator) -> Tensor:
        """Training samples drawn with replacement, with their noise."""
        x = self.train[torch.randint(len(self.train), (size,), generator=generator)]
        return x + self.noise * torch.rand(x.shape, generator=generator)


def load(name: str) -> Data:
    """A data set by name; KeyError for an unknown one."""
    if name in TOYS:
        return _toy(TOYS[name])
    if name in DIRECTIONS:
        return _toy(DIRECTIONS[name])
    return _table(name) if name in TABLES else _images(name)


def _toy(toy: Toy) -> Data:
    generator = np.random.default_rng(0)
    train, validation, test = (toy.sample(number, generator) for number in TOY_SAMPLES)
    return Data(
        toy.name,
        toy.description,
        _tensor(train),
        torch.zeros(train.shape[1]),
        _tensor(validation),
        _tensor(test),
        bound=float(toy.log_density(test).mean()),
    )


def _table(name: str) -> Data:
    description, read = TABLES[name]
    values, group = read()
    train, validation, test = _split(group)
    step = np.array([np.diff(np.unique(column)).min() for column in values.T])
    generator = np.random.default_rng(1)

    def with_noise(part: npt.NDArray[np.int64]) -> Array:
        return values[part] + step * generator.random(values[part].shape)

    noisy = np.concatenate([with_noise(train) for _ in range(COPIES)])
    # Without the powers, one far value in a long tail would decide a mean; and after the axes, what is left to learn is
    # what a Gaussian does not have.
    scale = make_pipeline(PowerTransformer(), PCA(whiten=True)).fit(noisy)
    return Data(
        name,
        f"{description}; Yeo-Johnson powers, principal axes of variance 1",
        _tensor(scale.transform(noisy)),
        torch.zeros(values.shape[1]),
        _tensor(scale.transform(with_noise(validation[:LARGEST_VALIDATION]))),
        _tensor(scale.transform(with_noise(test))),
    )


def _images(name: str) -> Data:
    description, levels, read = IMAGES[name]
    values, group = read()
    train, validation, test = _split(group)
    noisy = (values + np.random.default_rng(1).random(values.shape)) / levels - 0.5
    return Data(
        name,
        f"{description}; {levels} levels, scaled to [-0.5, 0.5]",
        _tensor(values[train] / levels - 0.5),
        torch.full(values.shape[1:], 1 / levels),
        _tensor(noisy[validation]),
        _tensor(noisy[test]),
    )


def _split(group: npt.NDArray[np.int64]) -> list[npt.NDArray[np.int64]]:
    """Indices of the three parts: samples of one group stay together."""
    groups = np.random.default_rng(0).permutation(np.unique(group))
    ends = np.cumsum([round(share * len(groups)) for share in PARTS[:2]])
    return [np.flatnonzero(np.isin(group, part)) for part in np.split(groups, ends)]


def _tensor(values: Array) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)


Grouped = tuple[Array, npt.NDArray[np.int64]]
"""Samples, and the group of each."""


def _apart(values: Array) -> Grouped:
    return np.asarray(values, dtype=float), np.arange(len(values))


def _patches(side: int) -> Grouped:
    """All patches of the photographs' whole tiles, not overlapping, ``N x 3 x side x side``; grouped by tile."""
    tiles = []
    for photograph in datasets.load_sample_images().images:
        rows, columns = (size // TILE for size in photograph.shape[:2])
        cut = photograph[: rows * TILE, : columns * TILE].reshape(rows, TILE, columns, TILE, 3)
        tiles.append(cut.swapaxes(1, 2).reshape(-1, TILE, TILE, 3))
    tile = np.concatenate(tiles).astype(float)
    per_side = TILE // side
    cut = tile.reshape(-1, per_side, side, per_side, side, 3).transpose(0, 1, 3, 5, 2, 4)
    return cut.reshape(-1, 3, side, side), np.repeat(np.arange(len(tile)), per_side**2)


def _green_patches() -> Grouped:
    patches, group = _patches(4)
    return patches[:, 1].reshape(-1, 16), group


def _colours() -> Grouped:
    patches, group = _patches(4)
    return patches[:, :, 0, 0], group


TABLES: dict[str, tuple[str, Callable[[], Grouped]]] = {
    "iris": ("150 flowers, 4 lengths", lambda: _apart(datasets.load_iris().data)),
    "diabetes": ("442 patients, 10 measurements", lambda: _apart(datasets.load_diabetes(scaled=False).data)),
    "wine": ("178 wines, 13 chemical analyses", lambda: _apart(datasets.load_wine().data)),
    "breast_cancer": ("569 biopsies, 30 features of cell nuclei", lambda: _apart(datasets.load_breast_cancer().data)),
    "colours": ("33,280 pixels of two photographs, no two of them neighbours: red, green, blue", _colours),
    "patches_4x4": ("33,280 patches of 4 x 4 pixels of two photographs, their green channel", _green_patches),
}
"""Vectors of real data: what they are, and how they are read."""

IMAGES: dict[str, tuple[str, int, Callable[[], Grouped]]] = {
    "digits": ("1,797 handwritten digits, 1 x 8 x 8", 17, lambda: _apart(datasets.load_digits().images[:, None])),
    "patches_8x8": ("8,320 colour patches of two photographs, 3 x 8 x 8", 256, lambda: _patches(8)),
    "patches_32x32": ("520 colour patches of two photographs, 3 x 32 x 32", 256, lambda: _patches(32)),
}
"""Images: what they are, their levels, and how they are read."""
