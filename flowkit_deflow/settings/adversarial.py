"""What can be set of the degraders that are trained against a discriminator."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import ConfigDict

from flowkit_deflow.settings.degraders import FolderData
from flowkit_deflow.settings.sorts import Sort

__all__ = [
    "AdversarialTraining",
    "CycleGanLosses",
    "CycleGanRun",
    "DasrRun",
    "FrequencySeparationRun",
    "PdmNetwork",
    "PdmRun",
    "SeparationLosses",
    "TranslationNetwork",
]

# AlexNet's last features have no place in a smaller crop.
SMALLEST_FOR_LPIPS = 31

_STRICT = ConfigDict(coerce_numbers_to_str=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class TranslationNetwork:
    """What a network from clean to degraded images is.

    Attributes:
        features: channels of its residual blocks.
        blocks: number of its blocks.
        discriminator_features: channels of the discriminator's first layer.

    Raises:
        ValueError: a number is below 1.
    """

    __pydantic_config__ = _STRICT

    features: int = 64
    blocks: int = 8
    discriminator_features: int = 64

    def __post_init__(self) -> None:
        for name in ("features", "blocks", "discriminator_features"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")


@dataclass(frozen=True)
class AdversarialTraining:
    """How generator and discriminator are trained.

    Attributes:
        steps: of both, taking turns.
        batch: clean crops in a step, and as many degraded ones.
        crop: side of the crops (pixels).
        flip: mirror and turn crops at random.
        learning_rate: of Adam.
        betas: of Adam.
        decay_from: fraction of ``steps`` from which on the learning rate falls to 0 along a line; 1: never.
        seed: of weights and crops.
        checkpoint_every: steps between checkpoints.
        log_every: steps between logged scalars.
        workers: data-loader processes.
        accelerator: Lightning's: ``auto``, ``cpu``, ``gpu``, ...

    Raises:
        ValueError: a value is out of range.
    """

    __pydantic_config__ = _STRICT

    steps: int = 100_000
    batch: int = 16
    crop: int = 128
    flip: bool = True
    learning_rate: float = 2e-4
    betas: tuple[float, float] = (0.5, 0.999)
    decay_from: float = 0.5
    seed: int = 0
    checkpoint_every: Annotated[int, Sort.SPEED] = 500
    log_every: Annotated[int, Sort.SPEED] = 10
    workers: Annotated[int, Sort.SPEED] = 1
    accelerator: Annotated[str, Sort.SPEED] = "auto"

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "checkpoint_every", "log_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed is {self.seed}; expected a number from 0 to below 2**32")
        if self.crop < 16 or self.crop % 2:
            raise ValueError(f"crop is {self.crop}; expected an even number of at least 16 pixels")
        if self.learning_rate <= 0 or not 0 <= self.decay_from <= 1 or self.workers < 0:
            raise ValueError(
                f"learning_rate is {self.learning_rate}, decay_from {self.decay_from}, workers {self.workers}; "
                "expected a positive rate, a fraction from 0 to 1, and 0 or more processes"
            )

    def rate(self, step: int) -> float:
        """The learning rate at a step.

        Examples:
            >>> training = AdversarialTraining(steps=4, learning_rate=1.0, decay_from=0.5)
            >>> [training.rate(step) for step in range(4)]
            [1.0, 1.0, 1.0, 0.5]
        """
        start = self.decay_from * self.steps
        return self.learning_rate * (1.0 if step <= start else (self.steps - step) / (self.steps - start))


@dataclass(frozen=True)
class SeparationLosses:
    """What a generator minimises that keeps low frequencies and is judged by the high ones.

    Attributes:
        low: weight of the mean absolute difference of low frequencies to the clean image's.
        adversarial: weight of the GAN on the high frequencies.
        lpips: weight of LPIPS to the clean image, which needs its published weights; 0: none.

    Raises:
        ValueError: a weight is negative.
    """

    __pydantic_config__ = _STRICT

    low: float = 1.0
    adversarial: float = 0.005
    lpips: float = 0.01

    def __post_init__(self) -> None:
        if min(self.low, self.adversarial, self.lpips) < 0:
            raise ValueError(f"{self}: expected weights of at least 0")

    def require_crop(self, side: int) -> None:
        """Check that crops are large enough.

        Raises:
            ValueError: they are not.
        """
        if self.lpips and side < SMALLEST_FOR_LPIPS:
            raise ValueError(
                f"crop is {side} and lpips {self.lpips}, which takes crops of {SMALLEST_FOR_LPIPS} pixels or more; set "
                "a larger crop, or lpips to 0"
            )


@dataclass(frozen=True)
class FrequencySeparationRun:
    """Frequency separation (DSGAN).

    Attributes:
        degrader: its name.
        data: both folders.
        network: the generator, and the discriminator's width.
        losses: what the generator minimises.
        training: how both are trained.

    Raises:
        ValueError: the crops are too small for LPIPS.
    """

    __pydantic_config__ = _STRICT

    degrader: Literal["frequency_separation"] = "frequency_separation"
    data: FolderData = field(default_factory=FolderData)
    network: TranslationNetwork = field(default_factory=TranslationNetwork)
    losses: SeparationLosses = field(default_factory=SeparationLosses)
    training: AdversarialTraining = field(default_factory=AdversarialTraining)

    def __post_init__(self) -> None:
        self.losses.require_crop(self.training.crop)


@dataclass(frozen=True)
class DasrRun:
    """The degradation network of DASR.

    Attributes:
        degrader: its name.
        data: both folders.
        network: the generator, and the discriminator's width.
        losses: what the generator minimises.
        training: how both are trained.

    Raises:
        ValueError: the crops are too small for LPIPS.
    """

    __pydantic_config__ = _STRICT

    degrader: Literal["dasr"] = "dasr"
    data: FolderData = field(default_factory=FolderData)
    network: TranslationNetwork = field(default_factory=TranslationNetwork)
    losses: SeparationLosses = field(default_factory=SeparationLosses)
    training: AdversarialTraining = field(default_factory=AdversarialTraining)

    def __post_init__(self) -> None:
        self.losses.require_crop(self.training.crop)


@dataclass(frozen=True)
class CycleGanLosses:
    """What both generators of a CycleGAN minimise besides the GAN.

    Attributes:
        cycle: weight of the mean absolute difference after a whole cycle.
        identity: weight of what a generator changes about images that need no change.

    Raises:
        ValueError: a weight is negative.
    """

    __pydantic_config__ = _STRICT

    cycle: float = 10.0
    identity: float = 5.0

    def __post_init__(self) -> None:
        if min(self.cycle, self.identity) < 0:
            raise ValueError(f"{self}: expected weights of at least 0")


@dataclass(frozen=True)
class CycleGanRun:
    """CycleGAN.

    Attributes:
        degrader: its name.
        data: both folders.
        network: both generators, and the discriminators' width.
        losses: what the generators minimise.
        training: how all are trained.
    """

    __pydantic_config__ = _STRICT

    degrader: Literal["cyclegan"] = "cyclegan"
    data: FolderData = field(default_factory=FolderData)
    network: TranslationNetwork = field(default_factory=TranslationNetwork)
    losses: CycleGanLosses = field(default_factory=CycleGanLosses)
    training: AdversarialTraining = field(default_factory=AdversarialTraining)


@dataclass(frozen=True)
class PdmNetwork:
    """What the probabilistic degradation model is.

    Attributes:
        kernel_side: side of the blur kernels (pixels), odd; 1: no blur.
        kernel_latents: numbers that a kernel is made of.
        noise_features: channels of the noise network.
        noise_blocks: number of its blocks.
        discriminator_features: channels of the discriminator's first layer.
        noise_mean: weight of the squared mean of the noise.

    Raises:
        ValueError: a number is out of range.
    """

    __pydantic_config__ = _STRICT

    kernel_side: int = 21
    kernel_latents: int = 64
    noise_features: int = 32
    noise_blocks: int = 8
    discriminator_features: int = 64
    noise_mean: float = 100.0

    def __post_init__(self) -> None:
        counts = (self.kernel_latents, self.noise_features, self.noise_blocks, self.discriminator_features)
        if min(counts) < 1 or self.kernel_side < 1 or self.kernel_side % 2 == 0 or self.noise_mean < 0:
            raise ValueError(f"{self}: expected an odd side, numbers of at least 1 and a weight of at least 0")


@dataclass(frozen=True)
class PdmRun:
    """The probabilistic degradation model.

    Attributes:
        degrader: its name.
        data: both folders.
        network: the networks of kernels and noise, and the discriminator's width.
        training: how all are trained.
    """

    __pydantic_config__ = _STRICT

    degrader: Literal["pdm"] = "pdm"
    data: FolderData = field(default_factory=FolderData)
    network: PdmNetwork = field(default_factory=PdmNetwork)
    training: AdversarialTraining = field(default_factory=AdversarialTraining)
