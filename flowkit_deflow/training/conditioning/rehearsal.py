"""Which h serves a degradation best, tried on clean images that are degraded alike."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor

from flowkit_deflow.images.flat_patches import FlatPatchNoise
from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.images.synthetic_noise import add_noise_like
from flowkit_deflow.settings.schema import Factor
from flowkit_deflow.training.conditioning.linear_deflow import LinearDeFlow

__all__ = ["Trial", "rehearse"]

# Of m images to a set, k of them in both, the difference of the sets' means has the variance 2 (m - k) / m^2 of a
# single image's. For m + m - k = n it is 2 / n, that of two unrelated sets of n, at m = n (sqrt(5) - 1) / 2.
SHARE = (math.sqrt(5) - 1) / 2


@dataclass(frozen=True)
class Trial:
    """How far from the true noise a linear DeFlow came that was given this h.

    Attributes:
        factor: that of h.
        h_noise: standard deviation of the noise in h.
        divergence: of the true noise from the generated one, see `LinearDeFlow.divergence`.
    """

    factor: Factor
    h_noise: float
    divergence: float


def rehearse(
    clean: Sequence[Tensor],
    noise: FlatPatchNoise,
    factors: Sequence[Factor],
    h_noises: Sequence[float],
    seed: int = 0,
) -> list[Trial]:
    """Try each h on a degradation like the real one, with the truth at hand.

    The first 62 % of the clean images stay clean and the last 62 % get Gaussian noise of the measured spectrum and
    strength at each brightness; a linear DeFlow learns it from the two sets, and is judged by noise that it has not
    seen, on the images that stayed clean alone. With this overlap the scenes of the two sets differ as much as those of
    two unrelated sets that are each as large as the whole.

    Args:
        clean: clean images, 3 x H x W in [0, 1].
        noise: the noise measured at flat places of the degraded images, less that of the clean ones.
        factors: the factors to try.
        h_noises: the strengths of h's noise to try.
        seed: of all noise.

    Returns:
        A trial for each factor and strength.
    """
    count = round(SHARE * len(clean))
    kept, hidden = clean[:count], clean[len(clean) - count :]
    degraded = [_like(noise, image, seed, f"degraded {index}") for index, image in enumerate(hidden)]
    unseen = clean[: len(clean) - count]
    pairs = [(image, _like(noise, image, seed, f"judged {index}")) for index, image in enumerate(unseen)]
    return [
        Trial(factor, h_noise, LinearDeFlow(kept, degraded, factor, h_noise, seed).divergence(pairs))
        for factor in factors
        for h_noise in h_noises
    ]


def _like(noise: FlatPatchNoise, image: Tensor, seed: int, key: str) -> Tensor:
    return add_noise_like(noise, image, seeded_generator(seed, "rehearsal", key))
