"""Named settings of the degraders besides DeFlow: ``small`` for two CPU cores in minutes, ``paper`` as published."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from flowkit_deflow.settings.adversarial import (
    AdversarialTraining,
    CycleGanRun,
    DasrRun,
    FrequencySeparationRun,
    PdmNetwork,
    PdmRun,
    SeparationLosses,
    TranslationNetwork,
)
from flowkit_deflow.settings.degraders import (
    CameraRun,
    HandWrittenRun,
    ImpressionismRun,
    KernelEstimation,
    MixtureRun,
    NoisePatches,
    NoneRun,
    Pipeline,
    WhiteNoiseSettings,
    WhiteRun,
)

__all__ = ["DEGRADER_PRESETS"]

_SMALL = AdversarialTraining(
    steps=1500, batch=8, crop=32, learning_rate=5e-4, decay_from=0.5, checkpoint_every=250, workers=1
)
_SMALL_NETWORK = TranslationNetwork(features=16, blocks=2, discriminator_features=16)
# LPIPS needs published weights, which not everyone has.
_SMALL_LOSSES = SeparationLosses(lpips=0.0)

_PAPER_IMPRESSIONISM = ImpressionismRun(kernels=KernelEstimation(images=100))

# Epochs are counted in DF2K's 3,450 images; crops are those of the clean images over 4, the factor of super-resolution.
DEGRADER_PRESETS: Mapping[str, Mapping[str, Any]] = {
    "none": {"small": NoneRun()},
    "white": {"small": WhiteRun(), "uniform": WhiteRun(noise=WhiteNoiseSettings(uniform=True))},
    "camera": {"small": CameraRun()},
    "impressionism": {
        # Images of a few hundred pixels have no flat patches of the paper's size.
        "small": ImpressionismRun(
            patches=NoisePatches(side=32, max_variance=None),
            kernels=KernelEstimation(images=0, steps=600, channels=16, crop=32, learning_rate=1e-3),
        ),
        "paper": _PAPER_IMPRESSIONISM,
        "dped": replace(_PAPER_IMPRESSIONISM, patches=NoisePatches(min_mean=50.0)),
    },
    "frequency_separation": {
        "small": FrequencySeparationRun(network=_SMALL_NETWORK, losses=_SMALL_LOSSES, training=_SMALL),
        # 300 epochs, the last 150 falling.
        "paper": FrequencySeparationRun(training=AdversarialTraining(steps=65_000, crop=128)),
    },
    "dasr": {
        "small": DasrRun(network=_SMALL_NETWORK, losses=_SMALL_LOSSES, training=_SMALL),
        # 400 epochs.
        "paper": DasrRun(training=AdversarialTraining(steps=172_000, batch=8, crop=64, learning_rate=1e-4)),
    },
    "cyclegan": {
        "small": CycleGanRun(network=_SMALL_NETWORK, training=_SMALL),
        "paper": CycleGanRun(
            network=TranslationNetwork(features=64, blocks=9), training=AdversarialTraining(steps=200_000, batch=1)
        ),
    },
    "pdm": {
        "small": PdmRun(
            network=PdmNetwork(kernel_side=9, noise_features=16, noise_blocks=2, discriminator_features=16),
            training=_SMALL,
        ),
        "paper": PdmRun(training=AdversarialTraining(steps=200_000, crop=32)),
    },
    "handwritten": {
        "real-esrgan": HandWrittenRun(),
        "bsrgan": HandWrittenRun(pipeline=Pipeline("bsrgan")),
    },
    "mixture": {"small": MixtureRun()},
}
