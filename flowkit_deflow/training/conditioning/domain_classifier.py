"""How well the domain can be told from h: a small classifier, judged on images that it did not see."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.images.noise_spectrum import cosine_basis
from flowkit_deflow.method.latents import Domain

__all__ = ["DomainAUC", "classify_domain"]

WINDOW = 8  # pixels of h
BANDS = 4  # rings of frequencies in a window
WINDOWS_PER_IMAGE = 64
FOLDS = 5
RIDGE = 0.1  # on standardised features, as a share of a window's own information
NEWTON_STEPS = 12
# Grey and two opposed colours, orthonormal: noise and picture differ in how their power is shared among them.
OPPONENT_COLOURS = (
    torch.tensor([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]]) / torch.tensor([[3.0], [2.0], [6.0]]).sqrt()
)


@dataclass(frozen=True)
class DomainAUC:
    """Area under the curve of the classifier: the chance that it ranks a degraded window above a clean one.

    Attributes:
        auc: 0.5 where the domain cannot be told, 1 where it always can; below 0.5 by chance.
        standard_error: of the area, by images, not by windows: those of one image are alike.
    """

    auc: float
    standard_error: float


def classify_domain(clean_h: Sequence[Tensor], degraded_h: Sequence[Tensor], seed: int = 0) -> DomainAUC:
    r"""Tell the domain from h by a logistic regression on local statistics, cross-validated by image.

    Windows of 8 x 8 pixels of h give the logarithms of their power in four rings of frequencies, for grey and for two
    opposed colours, and their squares. In each of five folds the regression is fitted to four fifths of the images (as
    many windows of both domains count alike) and ranks the windows of the others. What it finds, a flow that is given h
    can find too: the domain is then no longer hidden from it (sec. 4.2: h(x) = h(y) is to hold).

    Scenes of one domain alone look like a difference too, but not one that carries over to other images.

    Args:
        clean_h: h of the clean images, with the noise that the flow is given: 3 x H x W each, H and W at least 8.
        degraded_h: h of the degraded images.
        seed: of the choice of folds and windows.

    Returns:
        The area under the curve over all held-out windows.

    Raises:
        ValueError: fewer than five images of a domain are large enough.

    Examples:
        >>> generator = torch.Generator().manual_seed(0)
        >>> quiet = [0.1 * torch.randn(3, 32, 32, generator=generator) for _ in range(10)]
        >>> loud = [0.2 * torch.randn(3, 32, 32, generator=generator) for _ in range(10)]
        >>> classify_domain(quiet, loud).auc > 0.99
        True
    """
    features, folds = [], []
    for domain, images in ((Domain.CLEAN, clean_h), (Domain.DEGRADED, degraded_h)):
        measured = [_features(h, seed + index) for index, h in enumerate(images) if min(h.shape[1:]) >= WINDOW]
        if len(measured) < FOLDS:
            raise ValueError(
                f"{len(measured)} {domain.name.lower()} images have an h of {WINDOW} x {WINDOW} pixels; expected at "
                f"least {FOLDS} to hold some out in turn"
            )
        order = torch.randperm(len(measured), generator=seeded_generator(seed, "folds", domain.name)).tolist()
        features.append(measured)
        folds.append([place % FOLDS for place in order])
    scores: list[list[Tensor]] = [[], []]
    for fold in range(FOLDS):
        kept = [
            torch.cat([part for part, number in zip(measured, numbers, strict=True) if number != fold])
            for measured, numbers in zip(features, folds, strict=True)
        ]
        score = _LogisticRegression(kept[0], kept[1])
        for index in (0, 1):
            held_out = zip(features[index], folds[index], strict=True)
            scores[index] += [score(part) for part, number in held_out if number == fold]
    return _area(scores[0], scores[1])


def _features(h: Tensor, seed: int) -> Tensor:
    """Logarithms of the power by ring and colour, and their squares, of some windows of h; N x F, float64."""
    colours = torch.einsum("ij,jhw->ihw", OPPONENT_COLOURS, h.float().cpu())
    windows = colours.unfold(1, WINDOW, WINDOW).unfold(2, WINDOW, WINDOW).movedim(0, 2).flatten(0, 1)
    if len(windows) > WINDOWS_PER_IMAGE:
        windows = windows[torch.randperm(len(windows), generator=seeded_generator(seed, "windows"))[:WINDOWS_PER_IMAGE]]
    basis = cosine_basis(WINDOW)
    power = (basis @ windows @ basis.T).square().flatten(2)
    waves = torch.arange(WINDOW, dtype=torch.float32)
    ring = (torch.hypot(waves[:, None], waves[None]) * BANDS / WINDOW).long().clamp(max=BANDS - 1).flatten()
    ring[0] = -1  # the mean brightness says nothing of noise
    # 1e-7: a tenth of a grey level, below what 8 bits resolve.
    logs = torch.cat([(power[..., ring == band].mean(-1) + 1e-7).log() for band in range(BANDS)], 1).double()
    return torch.cat([logs, logs.square()], 1)


class _LogisticRegression:
    """Logistic regression with a ridge, by Newton's method; both classes weigh alike."""

    def __init__(self, clean: Tensor, degraded: Tensor) -> None:
        both = torch.cat([clean, degraded])
        self.mean, self.std = both.mean(0), both.std(0).clamp_min(1e-6)
        inputs = self._inputs(both)
        labels = torch.cat([torch.zeros(len(clean)), torch.ones(len(degraded))]).to(both)
        weights = torch.cat([torch.full((len(part),), 0.5 / len(part)) for part in (clean, degraded)]).to(both)
        ridge = RIDGE / len(both) * torch.eye(inputs.shape[1], dtype=both.dtype)
        self.coefficients = torch.zeros(inputs.shape[1], dtype=both.dtype)
        for _ in range(NEWTON_STEPS):
            chance = torch.sigmoid(inputs @ self.coefficients)
            gradient = inputs.T @ (weights * (chance - labels)) + ridge @ self.coefficients
            curvature = (inputs.T * (weights * chance * (1 - chance))) @ inputs + ridge
            self.coefficients -= torch.linalg.solve(curvature, gradient)

    def __call__(self, features: Tensor) -> Tensor:
        """The logarithm of the odds that a window is degraded."""
        return self._inputs(features) @ self.coefficients

    def _inputs(self, features: Tensor) -> Tensor:
        standardised = (features - self.mean) / self.std
        return torch.cat([standardised, torch.ones(len(features), 1, dtype=features.dtype)], 1)


def _area(clean: list[Tensor], degraded: list[Tensor]) -> DomainAUC:
    """The area from the ranks of all windows, and its error from the spread over images (DeLong's, by cluster)."""
    all_clean, all_degraded = torch.cat(clean).sort().values, torch.cat(degraded).sort().values

    def share_below(values: Tensor, others: Tensor) -> Tensor:
        lower, upper = torch.searchsorted(others, values), torch.searchsorted(others, values, right=True)
        return (lower + upper).double() / (2 * len(others))

    wins = torch.stack([share_below(part, all_clean).mean() for part in degraded])
    losses = torch.stack([share_below(part, all_degraded).mean() for part in clean])
    auc = share_below(all_degraded, all_clean).mean().item()
    variance = wins.var() / len(wins) + losses.var() / len(losses)
    return DomainAUC(auc, math.sqrt(variance.item()))
