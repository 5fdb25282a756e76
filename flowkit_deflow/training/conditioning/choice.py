"""The rule behind ``factor: auto`` and ``h_noise: auto``."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from flowkit_deflow.images.flat_patches import FAINTEST, FlatPatchNoise, measure_flat_patches
from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.images.resize import bicubic_downsample
from flowkit_deflow.settings.schema import Factor
from flowkit_deflow.training.conditioning.domain_classifier import FOLDS, WINDOW, DomainAUC, classify_domain
from flowkit_deflow.training.conditioning.linear_deflow import LinearDeFlow
from flowkit_deflow.training.conditioning.rehearsal import Trial, rehearse

__all__ = ["FACTORS", "H_NOISES", "Conditioning", "choose_conditioning"]

FACTORS: tuple[Factor, ...] = (4, 8, 16)
H_NOISES = (0.03, 0.06, 0.12)
# The paper's choice, for noise that cannot be measured: JPEG leaves flat places as they are.
PAPER: tuple[Factor, float] = (4, 0.03)
FEWEST_IMAGES = 2 * FOLDS
# Of folders with the same kinds of scenes it was 0.47 to 0.53, of PolyU's noisy photographs beside sharper ones 0.63.
DIFFERENT_SCENES = 0.6
# What is this near to the least divergence is as good: other scenes would turn the order around.
NEAR_SHARE = 1.1
NEAR_NATS = 0.005  # a standard deviation off by 7 % has so many
# The h whose linear DeFlow says how strong the noise is on the whole: at flat places alone it can be half as strong.
LEVEL: tuple[Factor, float] = (4, 0.06)
LARGEST_SCALE = 4.0


@dataclass(frozen=True)
class Conditioning:
    """The h that was chosen, and what it was chosen by.

    Attributes:
        factor: h is the image downsampled by this.
        h_noise: standard deviation of the noise that is added to h.
        noise_std: of the degraded images' noise at flat places, in [0, 1] units; ``None`` where there were too few
            images to choose by.
        overall_std: of their noise on the whole, as a linear DeFlow sees it.
        surviving_std: what is left of the noise at flat places in h, by factor.
        trials: how a rehearsal with each h went; empty where there was no noise to rehearse with.
        auc: how well the domain can be told from the chosen h; ``None`` where the images are too few or too small.
    """

    factor: Factor
    h_noise: float
    noise_std: float | None = None
    overall_std: float | None = None
    surviving_std: Mapping[int, float] = field(default_factory=dict)
    trials: tuple[Trial, ...] = ()
    auc: DomainAUC | None = None

    def __str__(self) -> str:
        """One line: what was measured and what was chosen."""
        chosen = f"factor {self.factor}, h_noise {self.h_noise:g}"
        if self.noise_std is None or self.overall_std is None:
            return (
                f"{chosen}: fewer than {FEWEST_IMAGES} images of a domain are too few to choose by: the paper's choice"
            )
        told = "" if self.auc is None else f"; the domain is told from h in {100 * self.auc.auc:.0f} of 100 cases"
        if self.auc is not None and self.auc.auc - self.auc.standard_error > DIFFERENT_SCENES:
            told += (
                ", since the folders' scenes differ or the degradation is coarse, and what differs is learned with it: "
                "take photographs of the same cameras and kinds of scenes for both"
            )
        if not self.trials:
            return (
                f"{chosen}: no noise at flat places ({255 * self.noise_std:.1f} grey levels) to choose by: the paper's "
                f"choice{told}"
            )
        surviving = ", ".join(f"{255 * std:.1f} at factor {factor}" for factor, std in self.surviving_std.items())
        best = {
            trial.factor: min(t.divergence for t in self.trials if t.factor == trial.factor) for trial in self.trials
        }
        rehearsed = ", ".join(f"{divergence:.3f} at {factor}" for factor, divergence in best.items())
        return (
            f"{chosen}: noise of {255 * self.noise_std:.1f} grey levels at flat places, of which h holds {surviving}, "
            f"and of {255 * self.overall_std:.1f} on the whole; rehearsed with such noise, a linear flow is off by "
            f"{rehearsed} (nats per value){told}"
        )


def choose_conditioning(
    clean: Sequence[Tensor],
    degraded: Sequence[Tensor],
    factors: Sequence[Factor] = FACTORS,
    h_noises: Sequence[float] = H_NOISES,
    seed: int = 0,
) -> Conditioning:
    """Choose h's factor and noise from unpaired images.

    The spectrum of the noise and its course over brightness are measured at the flat places of both sets, and its
    strength on the whole by a linear DeFlow of the two sets. Clean images are degraded by noise like it, and a linear
    DeFlow tries each h on them, where the truth is known (`rehearse`). The choice is the smallest factor, and for it
    the smallest noise, whose divergence is at most 10 % and 0.005 nats above the least. Where flat places show no
    noise, as after JPEG alone, it is the paper's: factor 4, noise 0.03, if these are among those asked for, otherwise
    the first.

    Args:
        clean: clean images, 3 x H x W in [0, 1].
        degraded: degraded images of other scenes.
        factors: the factors to choose from, rising.
        h_noises: the strengths of h's noise to choose from, rising.
        seed: of all that is random.

    Returns:
        The choice with its grounds; the paper's too where there are fewer than 10 images of a domain.

    Raises:
        ValueError: no image of a domain holds a patch of 32 x 32 pixels that is not clipped.

    Examples:
        >>> def flat(seed, std):
        ...     return 0.5 + std * torch.randn(3, 128, 128, generator=torch.Generator().manual_seed(seed))
        >>> choice = choose_conditioning([flat(i, 0.001) for i in range(10)], [flat(i, 0.04) for i in range(10, 20)])
        >>> round(255 * choice.noise_std)
        10
    """
    if min(len(clean), len(degraded)) < FEWEST_IMAGES:
        return Conditioning(*_chosen((), factors, h_noises))
    noise = measure_flat_patches(degraded) - measure_flat_patches(clean)
    overall = LinearDeFlow(clean, degraded, *LEVEL, seed).overall_std
    trials = _trials(clean, noise, overall, factors, h_noises, seed)
    factor, h_noise = _chosen(trials, factors, h_noises)
    surviving: dict[int, float] = {factor: noise.spectrum.surviving_std(factor) for factor in factors}
    return Conditioning(
        factor,
        h_noise,
        noise.spectrum.overall_std,
        overall,
        surviving,
        tuple(trials),
        _auc(clean, degraded, factor, h_noise, seed),
    )


def _trials(
    clean: Sequence[Tensor],
    noise: FlatPatchNoise,
    overall_std: float,
    factors: Sequence[Factor],
    h_noises: Sequence[float],
    seed: int,
) -> list[Trial]:
    if noise.spectrum.overall_std < FAINTEST:
        return []
    scale = min(max(1.0, overall_std / noise.spectrum.overall_std), LARGEST_SCALE)
    return rehearse(clean, noise.scaled(scale), factors, h_noises, seed)


def _chosen(trials: Sequence[Trial], factors: Sequence[Factor], h_noises: Sequence[float]) -> tuple[Factor, float]:
    if not trials:
        factor, h_noise = PAPER
        return factor if factor in factors else factors[0], h_noise if h_noise in h_noises else h_noises[0]
    least = min(trial.divergence for trial in trials)
    good = [trial for trial in trials if trial.divergence <= NEAR_SHARE * least + NEAR_NATS]
    first = min(good, key=lambda trial: (trial.factor, trial.h_noise))
    return first.factor, first.h_noise


def _auc(
    clean: Sequence[Tensor], degraded: Sequence[Tensor], factor: int, h_noise: float, seed: int
) -> DomainAUC | None:
    """How well the domain is told from that h; ``None`` where it is too small for enough of the images."""
    domains = [
        [_h(image, factor, h_noise, seed, f"{name} {index}") for index, image in enumerate(images)]
        for name, images in (("clean", clean), ("degraded", degraded))
    ]
    large = [[h for h in images if min(h.shape[1:]) >= WINDOW] for images in domains]
    return classify_domain(large[0], large[1], seed) if min(map(len, large)) >= FOLDS else None


def _h(image: Tensor, factor: int, h_noise: float, seed: int, key: str) -> Tensor:
    h = bicubic_downsample(image, factor)
    return h + h_noise * torch.randn(h.shape, generator=seeded_generator(seed, "h", key))
