"""One degrader of each kind, made in a moment."""

from collections.abc import Callable
from typing import TypeVar

import torch

from flowkit_deflow.degraders.adversarial.probabilistic import ProbabilisticDegradation
from flowkit_deflow.degraders.adversarial.translation import DomainAwareTranslation, Translation
from flowkit_deflow.degraders.camera_noise import CameraNoise
from flowkit_deflow.degraders.degrader import Degrader
from flowkit_deflow.degraders.handwritten.pipeline import HandWritten
from flowkit_deflow.degraders.identity import Identity
from flowkit_deflow.degraders.mixture import Mixture
from flowkit_deflow.degraders.noise_injection import NoiseInjection
from flowkit_deflow.degraders.white_noise import WhiteNoise
from flowkit_deflow.images.flat_patches import measure_flat_patches
from flowkit_deflow.settings.adversarial import PdmNetwork, TranslationNetwork
from tests.flowkit_deflow.networks import TINY, perturbed

M = TypeVar("M", bound=torch.nn.Module)

NETWORK = TranslationNetwork(features=6, blocks=1, discriminator_features=4)
PDM = PdmNetwork(kernel_side=5, kernel_latents=4, noise_features=4, noise_blocks=1)


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def randomised(model: M) -> M:
    """Every weight matters, those that start at zero too."""
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.1, generator=seeded())
    return model.eval()


def camera() -> CameraNoise:
    """Noise of a tenth of the brightness."""
    levels = [level for _ in range(4) for level in (0.3, 0.6)]
    flat = [level + 0.1 * level * torch.randn(3, 160, 160, generator=seeded(i)) for i, level in enumerate(levels)]
    return CameraNoise(measure_flat_patches(flat))


def injection() -> NoiseInjection:
    patches = 0.05 * torch.randn(5, 3, 16, 16, generator=seeded())
    return NoiseInjection(patches - patches.mean((2, 3), keepdim=True), [torch.ones(3, 3) / 9, torch.ones(1, 1)])


MAKE: dict[str, Callable[[], Degrader]] = {
    "deflow": lambda: perturbed(TINY),
    "white-noise": lambda: WhiteNoise((0.0, 0.1)),
    "handwritten": lambda: HandWritten("bsrgan"),
    "none": Identity,
    "camera-noise": camera,
    "noise-injection": injection,
    "translation": lambda: randomised(Translation(NETWORK)),
    "domain-aware-translation": lambda: randomised(DomainAwareTranslation(NETWORK)),
    "probabilistic": lambda: randomised(ProbabilisticDegradation(PDM)),
    "mixture": lambda: Mixture([WhiteNoise(0.05), camera(), Mixture([WhiteNoise(0.1), injection()])], [1, 2, 1]),
}

# Those that draw nothing at random.
FIXED = {"none", "translation", "domain-aware-translation"}
