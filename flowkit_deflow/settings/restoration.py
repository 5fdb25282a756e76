"""What can be set of a restoration network and its training: typed, each value checked where it comes in."""

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal, Self

from pydantic import ConfigDict

from flowkit_deflow.settings.sorts import Sort

__all__ = ["UNSHUFFLE", "RestorerArchitecture", "RestorerData", "RestorerLosses", "RestorerRun", "RestorerTraining"]

# Real-ESRGAN's networks of a lower scale take pixels side by side as channels and enlarge by 4.
UNSHUFFLE = {1: 4, 2: 2, 4: 1, 8: 1}

# Of the patch discriminator with its three layers: a smaller crop leaves nothing for its last convolution.
SMALLEST_JUDGED = 24
# VGG's last features have no place in a smaller crop.
SMALLEST_FOR_FEATURES = 16

_STRICT = ConfigDict(coerce_numbers_to_str=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class RestorerArchitecture:
    """What the restoration network is; saved with the weights.

    Attributes:
        network: a name of ``flowkit_deflow.restoration.networks.registry.NETWORKS``, or of a plugin: ``residual``,
            ``rrdb`` or ``denoiser``.
        scale: the restored image's size over the degraded one's.
        features: channels of its trunk.
        blocks: number of its blocks.
        growth: channels that each dense layer of ``rrdb`` adds.
        unshuffle: of ``rrdb``: blocks of so many pixels' side become channels first; ``None``: 4 at scale 1, 2 at scale
            2, as Real-ESRGAN's networks have it.

    Raises:
        ValueError: a number is below 1.

    Examples:
        >>> RestorerArchitecture(scale=1).network
        'residual'
    """

    __pydantic_config__ = _STRICT

    network: str = "residual"
    scale: int = 4
    features: int = 32
    blocks: int = 6
    growth: int = 32
    unshuffle: int | None = None

    def __post_init__(self) -> None:
        for name in ("scale", "features", "blocks", "growth", "unshuffle"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} is {value}; expected at least 1")

    def resolved(self) -> Self:
        """With the ``unshuffle`` that ``None`` stands for.

        Examples:
            >>> RestorerArchitecture("rrdb", scale=2).resolved().unshuffle
            2
        """
        return self if self.unshuffle is not None else replace(self, unshuffle=UNSHUFFLE.get(self.scale, 1))


@dataclass(frozen=True)
class RestorerData:
    """What a restoration network is trained and judged on.

    Attributes:
        clean: folder of clean images, at the size of the restored ones.
        degrader: model folder of the degrader that makes their degraded versions, of any kind.
        temperature: of the degrader: a range to draw one from in each step.
        degraded: folder of degraded partners of the clean images, by the same names, instead of a degrader.
        extra_noise: standard deviation of white noise that is added to all degraded crops, for values in [0, 1]: fine
            grain that what was learned without pairs lacks.
        crop: side of the square crops of clean images (pixels).
        flip: mirror and turn crops at random.
        sharpen: sharpen the clean crops by unsharp masking before they are degraded, as Real-ESRGAN does.
        valid_degraded: folder of degraded images that training is judged by; ``None``: it is not.
        valid_clean: folder of their clean partners; ``None``: they are judged without.
        strict: stop at the first unreadable image, instead of going on without it.

    Raises:
        ValueError: a value is out of range.

    Examples:
        >>> RestorerData(clean="photos", degrader="RUN/model").crop
        128
    """

    __pydantic_config__ = _STRICT

    clean: Annotated[str | None, Sort.PLACE] = None
    degrader: Annotated[str | None, Sort.PLACE] = None
    temperature: tuple[float, float] = (1.0, 1.0)
    degraded: Annotated[str | None, Sort.PLACE] = None
    extra_noise: float = 0.0
    crop: int = 128
    flip: bool = True
    sharpen: bool = False
    valid_degraded: Annotated[str | None, Sort.PLACE] = None
    valid_clean: Annotated[str | None, Sort.PLACE] = None
    strict: Annotated[bool, Sort.SPEED] = False

    def __post_init__(self) -> None:
        if self.crop < 8:
            raise ValueError(f"crop is {self.crop}; expected at least 8 pixels")
        if not 0 <= self.temperature[0] <= self.temperature[1]:
            raise ValueError(f"temperature is {self.temperature}; expected a rising range from 0 on, like [0.8, 1.2]")
        if not 0 <= self.extra_noise <= 1:
            raise ValueError(
                f"extra_noise is {self.extra_noise}; expected a standard deviation from 0 to 1, for values in [0, 1]: "
                "4 grey levels are 0.0157"
            )
        if self.valid_clean is not None and self.valid_degraded is None:
            raise ValueError("valid_clean is given without valid_degraded; name the folder of their degraded versions")


@dataclass(frozen=True)
class RestorerLosses:
    """What training minimises: a weighted sum.

    Attributes:
        l1: weight of the mean absolute difference.
        features: weight of the difference of VGG's features.
        adversarial: weight of the relativistic average GAN.
        feature_network: ``vgg19`` or ``vgg16``, its features those of the last convolution, before its ReLU.
        feature_weights: file of its published weights; ``None``: torchvision's ``vgg19-dcbb9e9d.pth`` or
            ``lpips_vgg16.safetensors``, among the files of the metrics or in torch hub's cache.
        discriminator: ``vgg128``, which takes crops of 128 pixels, or ``patch``.
        discriminator_features: channels of its first layer.
        domain_weighted: count ``l1`` and ``features`` at each place as much as the degraded image looks really degraded
            there, by the domain-distance map of the degrader ``dasr``.

    Raises:
        ValueError: a weight is negative, or all are 0.

    Examples:
        >>> RestorerLosses().adversarial
        0.0
    """

    __pydantic_config__ = _STRICT

    l1: float = 1.0
    features: float = 0.0
    adversarial: float = 0.0
    feature_network: Literal["vgg19", "vgg16"] = "vgg19"
    feature_weights: Annotated[str | None, Sort.PLACE] = None
    discriminator: Literal["vgg128", "patch"] = "vgg128"
    discriminator_features: int = 64
    domain_weighted: bool = False

    def __post_init__(self) -> None:
        weights = (self.l1, self.features, self.adversarial)
        if min(weights) < 0 or sum(weights) == 0:
            raise ValueError(
                f"l1 is {self.l1}, features is {self.features}, adversarial is {self.adversarial}; expected weights of "
                "at least 0, not all of them 0"
            )
        if self.discriminator_features < 1:
            raise ValueError(f"discriminator_features is {self.discriminator_features}; expected at least 1")


@dataclass(frozen=True)
class RestorerTraining:
    """How a restoration network is trained.

    Attributes:
        steps: optimiser steps in all.
        batch: crops in a step.
        learning_rate: of Adam, for network and discriminator.
        halve_at: fractions of ``steps`` after which it is halved.
        betas: of Adam.
        weights: file of weights, or model folder, to start from; ``None``: a random start.
        seed: of weights, crops and degradations.
        checkpoint_every: steps between checkpoints.
        validate_every: steps between judgements by the validation images, the best of which is kept.
        judge: the metric that they are judged by: a name of ``deflow metrics``.
        log_every: steps between logged scalars.
        workers: data-loader processes.
        accelerator: Lightning's: ``auto``, ``cpu``, ``gpu``, ...
        precision: Lightning's: ``32-true`` or ``bf16-mixed``.

    Raises:
        ValueError: a value is out of range.

    Examples:
        >>> RestorerTraining(batch=0)
        Traceback (most recent call last):
        ...
        ValueError: batch is 0; expected at least 1
    """

    __pydantic_config__ = _STRICT

    steps: int = 3000
    batch: int = 16
    learning_rate: float = 1e-4
    halve_at: tuple[float, ...] = (0.5, 0.75, 0.9)
    betas: tuple[float, float] = (0.9, 0.999)
    weights: Annotated[str | None, Sort.PLACE] = None
    seed: int = 0
    checkpoint_every: Annotated[int, Sort.SPEED] = 500
    validate_every: int = 1000
    judge: str = "psnr"
    log_every: Annotated[int, Sort.SPEED] = 10
    workers: Annotated[int, Sort.SPEED] = 2
    accelerator: Annotated[str, Sort.SPEED] = "auto"
    precision: Literal["32-true", "bf16-mixed"] = "32-true"

    def __post_init__(self) -> None:
        for name in ("steps", "batch", "checkpoint_every", "validate_every", "log_every"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.workers < 0 or not 0 <= self.seed < 2**32:
            raise ValueError(
                f"workers is {self.workers}, seed is {self.seed}; expected 0 or more, and a seed less than 2**32"
            )
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate is {self.learning_rate}; expected a positive number")
        if not all(0 <= fraction <= 1 for fraction in self.halve_at):
            raise ValueError(f"halve_at is {self.halve_at}; expected fractions from 0 to 1")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas is {self.betas}; expected two numbers from 0 to below 1, like [0.9, 0.999]")


@dataclass(frozen=True)
class RestorerRun:
    """A whole training run of a restoration network.

    Attributes:
        architecture: what the network is.
        data: what it is trained and judged on.
        losses: what is minimised.
        training: how it is trained.

    Raises:
        ValueError: two settings do not fit together.

    Examples:
        >>> RestorerRun(data=RestorerData(crop=30))
        Traceback (most recent call last):
        ...
        ValueError: crop is 30 and scale 4; expected a crop that is a multiple of the scale
    """

    __pydantic_config__ = _STRICT

    architecture: RestorerArchitecture = field(default_factory=RestorerArchitecture)
    data: RestorerData = field(default_factory=RestorerData)
    losses: RestorerLosses = field(default_factory=RestorerLosses)
    training: RestorerTraining = field(default_factory=RestorerTraining)

    def __post_init__(self) -> None:
        if self.data.crop % self.architecture.scale:
            raise ValueError(
                f"crop is {self.data.crop} and scale {self.architecture.scale}; expected a crop that is a multiple of "
                "the scale"
            )
        if self.losses.features and self.data.crop < SMALLEST_FOR_FEATURES:
            raise ValueError(
                f"crop is {self.data.crop} and features {self.losses.features}, whose network takes crops of "
                f"{SMALLEST_FOR_FEATURES} pixels or more; set a larger crop, or features to 0"
            )
        if self.losses.adversarial and self.losses.discriminator == "vgg128" and self.data.crop != 128:
            raise ValueError(
                f"crop is {self.data.crop} and discriminator 'vgg128', which takes crops of 128; set one of them anew"
            )
        if self.losses.adversarial and self.data.crop < SMALLEST_JUDGED:
            raise ValueError(
                f"crop is {self.data.crop} and discriminator 'patch', which takes crops of {SMALLEST_JUDGED} pixels or "
                "more; set a larger crop"
            )
