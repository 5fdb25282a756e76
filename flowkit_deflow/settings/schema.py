"""What can be set: typed, each value checked where it comes in."""

from dataclasses import dataclass, field, replace
from typing import Annotated, Literal

from pydantic import ConfigDict

from flowkit_deflow.settings.sorts import Sort

__all__ = ["Architecture", "ChannelStatistics", "Data", "Factor", "Normalization", "Run", "Training"]

_STRICT = ConfigDict(coerce_numbers_to_str=True, extra="forbid", allow_inf_nan=False)

Factor = Literal[4, 8, 16]

UNCHOSEN = (
    "{name} is 'auto', which is chosen from the training images; expected {expected}: give one, or train with `train`, "
    "which chooses"
)
WEIGHTS_IN_HALF_PRECISION = ("bf16-true", "16-true")


@dataclass(frozen=True)
class ChannelStatistics:
    """Mean and standard deviation of the colour channels, of values in [0, 1]."""

    __pydantic_config__ = _STRICT

    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def __post_init__(self) -> None:
        if min(self.std) <= 0:
            raise ValueError(f"std is {self.std}; expected positive numbers")


@dataclass(frozen=True)
class Normalization:
    """Statistics of both domains, of the images and of their h: they bring domain X to the colours of Y."""

    __pydantic_config__ = _STRICT

    clean: ChannelStatistics
    degraded: ChannelStatistics
    clean_h: ChannelStatistics
    degraded_h: ChannelStatistics


@dataclass(frozen=True)
class Architecture:
    """What the network is; saved with the weights.

    Attributes:
        factor: h is the image downsampled by this, 4, 8 or 16; ``None``: no conditioning; ``"auto"``: training chooses
            by what the images' noise leaves in h, and records the number.
        h_noise: standard deviation of the noise that is added to h, for values in [0, 1]; ``"auto"`` as for ``factor``.
        levels: levels L of the flow, each at half the resolution of the one before.
        steps: flow steps K of each level.
        plain_steps: steps of actnorm and 1x1 convolution alone before them.
        hidden_channels: width of the couplings' and injectors' networks.
        split_after: levels after which half of the channels are factored out.
        coupling: ``affine`` as published; ``additive``: the scale of the flow depends on h alone.
        scale: scale function of couplings and injectors: ``sigmoid`` as published, ``bounded`` the safer one.
        scale_eps: smallest scale of ``sigmoid``.
        scale_bound: largest absolute log-scale of ``bounded``.
        shift: the latent model: ``correlated`` as published, ``uncorrelated``, ``none``, ``binned`` (measured after
            training, per class of places of h) or ``brightness`` (trained, its strength following h's brightness).
        shift_start: M starts as this times the identity.
        shift_classes: of ``binned``: bins of h's brightness and of its contrast; (1, 1): all places together.
        grain: whether noise of one spectrum everywhere is added to generated images: what they lack at flat places, as
            measured after training.
        encoder_features: channels of the RRDB encoder.
        encoder_growth: channels that each of its dense layers adds.
        encoder_blocks: number of its blocks.
        stack_blocks: blocks whose outputs are stacked onto the feature maps.
        bins: levels of the dequantisation noise (32: 5 bits).
        normalization: channel statistics that bring the domains together; ``None``: images as they are.

    Raises:
        ValueError: a value is out of range, or two do not fit together.

    References:
        V. Wolf, A. Lugmayr, M. Danelljan, L. Van Gool, R. Timofte, "DeFlow: Learning Complex Image Degradations from
        Unpaired Data with Conditional Flows", CVPR 2021,
        secs. 4.1 and 4.2.

    Examples:
        >>> Architecture(levels=2, split_after=()).alignment
        4
    """

    __pydantic_config__ = _STRICT

    factor: Literal[4, 8, 16, "auto"] | None = 4
    h_noise: float | Literal["auto"] = 0.03
    levels: int = 3
    steps: int = 16
    plain_steps: int = 2
    hidden_channels: int = 64
    split_after: tuple[int, ...] = (1,)
    coupling: Literal["affine", "additive"] = "affine"
    scale: Literal["sigmoid", "bounded"] = "sigmoid"
    scale_eps: float = 1e-3
    scale_bound: float = 2.0
    shift: Literal["correlated", "uncorrelated", "none", "binned", "brightness"] = "correlated"
    shift_start: float = 0.01
    shift_classes: tuple[int, int] = (6, 3)
    grain: bool = False
    encoder_features: int = 64
    encoder_growth: int = 32
    encoder_blocks: int = 23
    stack_blocks: tuple[int, ...] = (1, 8, 15, 22)
    bins: int = 32
    normalization: Normalization | None = None

    def __post_init__(self) -> None:
        positive = (
            "levels",
            "steps",
            "hidden_channels",
            "encoder_features",
            "encoder_growth",
            "encoder_blocks",
            "bins",
        )
        for name in positive:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        if self.plain_steps < 0:
            raise ValueError(f"plain_steps is {self.plain_steps}; expected 0 or more")
        if not isinstance(self.h_noise, str) and self.h_noise < 0:
            raise ValueError(f"h_noise is {self.h_noise}; a standard deviation is not negative")
        if sorted(set(self.split_after)) != list(self.split_after) or not all(
            1 <= level < self.levels for level in self.split_after
        ):
            raise ValueError(
                f"split_after is {self.split_after}; expected rising numbers of levels before the last, "
                f"from 1 to {self.levels - 1}"
            )
        if self.factor is not None and not all(0 <= block < self.encoder_blocks for block in self.stack_blocks):
            raise ValueError(
                f"stack_blocks is {self.stack_blocks}; expected numbers from 0 to {self.encoder_blocks - 1}"
            )
        if self.scale_bound <= 0 or self.scale_eps < 0:
            raise ValueError(
                f"scale_bound is {self.scale_bound}, scale_eps is {self.scale_eps}; expected a bound > 0, eps >= 0"
            )
        if self.shift_start <= 0:
            raise ValueError(f"shift_start is {self.shift_start}; at 0 the covariance never trains: expected e.g. 0.01")
        if min(self.shift_classes) < 1:
            raise ValueError(f"shift_classes is {self.shift_classes}; expected at least one bin each, like [6, 3]")
        if self.factor is None and self.shift == "brightness":
            raise ValueError("shift is 'brightness' and factor null; without h there is no brightness to follow")
        if self.factor is None and self.shift == "binned" and self.shift_classes != (1, 1):
            raise ValueError(
                f"shift is 'binned', shift_classes {self.shift_classes} and factor null; without h there is one class "
                "of places: set shift_classes to [1, 1]"
            )

    @property
    def alignment(self) -> int:
        """Image sides, and the corners of crops and tiles, are multiples of this (pixels)."""
        return max(2**self.levels, self.h_factor or 1)

    def require_numbers(self) -> None:
        """Refuse settings that are still to be chosen.

        Raises:
            ValueError: ``factor`` or ``h_noise`` is ``"auto"``.
        """
        _ = self.h_factor, self.h_std

    def as_published(self) -> "Architecture":
        """The same with the paper's h, a factor of 4 and noise of 0.03, where that is still to be chosen."""
        return replace(
            self,
            factor=4 if self.factor == "auto" else self.factor,
            h_noise=0.03 if self.h_noise == "auto" else self.h_noise,
        )

    @property
    def h_factor(self) -> Factor | None:
        """``factor`` as a number; ``None``: no conditioning.

        Raises:
            ValueError: it is still to be chosen.
        """
        if self.factor == "auto":
            raise ValueError(UNCHOSEN.format(name="factor", expected="4, 8, 16 or null"))
        return self.factor

    @property
    def h_std(self) -> float:
        """``h_noise`` as a number.

        Raises:
            ValueError: it is still to be chosen.
        """
        if isinstance(self.h_noise, str):
            raise ValueError(UNCHOSEN.format(name="h_noise", expected="a number like 0.03"))
        return self.h_noise


@dataclass(frozen=True)
class Data:
    """What is trained on.

    Attributes:
        clean: folder of clean images (domain X); ``None`` where X is made of the degraded images, downsampled.
        degraded: folder of degraded images (domain Y).
        clean_downsample: factors by which images of ``clean`` are downsampled first, one drawn for each crop;
            (1,) takes them as they are.
        held_out: share of each folder's images that is never trained on and judges the training instead, drawn by the
            seed: at least one image, none of fewer than 8; 0: none.
        crop: side of the square training crops (pixels).
        flip: mirror crops at random.
        kernels: folder of blur kernels, one of which is applied to each clean image; ``None``: no blur.
        normalize: measure channel statistics of both domains before training and bring X to the colours of Y.
        pairs: images of the same name in ``clean`` and ``degraded`` show the same: train by eq. 5 on both together.
        strict: stop at the first unreadable image, instead of going on without it.

    Raises:
        ValueError: a value is out of range.

    Examples:
        >>> Data(clean="photos", degraded="scans", crop=64).clean_downsample
        (1,)
    """

    __pydantic_config__ = _STRICT

    clean: Annotated[str | None, Sort.PLACE] = None
    degraded: Annotated[str | None, Sort.PLACE] = None
    clean_downsample: tuple[int, ...] = (1,)
    held_out: float = 0.15
    crop: int = 160
    flip: bool = True
    kernels: Annotated[str | None, Sort.PLACE] = None
    normalize: bool = False
    pairs: bool = False
    strict: Annotated[bool, Sort.SPEED] = False

    def __post_init__(self) -> None:
        if self.crop < 8:
            raise ValueError(f"crop is {self.crop}; expected at least 8 pixels")
        if not self.clean_downsample or min(self.clean_downsample) < 1:
            raise ValueError(f"clean_downsample is {self.clean_downsample}; expected factors of at least 1, like [4]")
        if not 0 <= self.held_out < 1:
            raise ValueError(f"held_out is {self.held_out}; expected a share from 0 to below 1, like 0.15")
        if self.pairs and (self.clean_downsample != (1,) or self.kernels is not None or self.normalize):
            raise ValueError(
                f"pairs is true, clean_downsample {self.clean_downsample}, kernels {self.kernels} and normalize "
                f"{self.normalize}; the images of a pair are taken as they are: set clean_downsample to [1], kernels "
                "to null and normalize to false"
            )


@dataclass(frozen=True)
class Training:
    """How it is trained.

    Attributes:
        steps: optimiser steps in all; more of them lengthen a run that has begun.
        batch: crops in a step, half of each domain.
        crops_at_once: crops whose activations are in memory at a time; the step's gradient is the same. ``None``: all
            on a GPU; on a CPU as many as have 204,800 pixels together (eight of 160 x 160): more gain no time there.
        activations: what of them is kept for the backward pass: ``stored``, all; ``checkpointed``, the values between
            the layers; ``reversible``, those after every fourth step, between which the layers are inverted. Of the
            encoder both keep the values between its blocks.
        learning_rate: of Adam, at the start.
        schedule: what becomes of the learning rate: ``halve``, it is halved at fractions of ``steps``; ``cosine``, it
            falls to 0 along half a cosine.
        halve_at: fractions of ``steps`` after which ``halve`` halves it.
        warmup: steps over which the learning rate rises from 0.
        betas: of Adam.
        clip_norm: gradients are scaled to at most this norm; 0: not at all.
        ema: decay of the exponential moving average of the weights, from 0 to below 1, like 0.999; the model that is
            written and judged has the averaged weights. 0: the weights themselves.
        shift_rate_factor: factor on the learning rate of the latent shift's parameters.
        encoder_delay: fraction of ``steps`` before which the encoder stays as it is.
        encoder_weights: file of RRDB weights to start the encoder from; ``None``: a random start.
        initial_model: what to start all weights from: a model folder, a run or one of its checkpoints, or a published
            checkpoint of this architecture; ``None``: a random start.
        seed: of weights, crops and noise.
        checkpoint_every: steps between checkpoints.
        image_every: steps between sample images in the log; 0: none.
        monitor_every: steps between looks at the held-out images; 0: only at the end.
        select: figure of the held-out images by which the best monitored step is kept in ``checkpoints/best.ckpt``:
            ``code_length`` or ``evidence``. The written model is from that step if the last one is worse by more than
            the figures' own error. ``last``: no figure, the model is from the last step.
        log_every: steps between logged scalars.
        max_skipped: non-finite steps in a row after which training stops.
        workers: data-loader processes.
        accelerator: Lightning's: ``auto``, ``cpu``, ``gpu``, ...
        devices: Lightning's: number of devices.
        strategy: Lightning's: ``auto``, ``ddp``, ...
        precision: Lightning's: ``32-true``, ``64-true``, ``bf16-mixed`` or ``16-mixed``; ``bf16-true`` and ``16-true``
            are refused.

    Raises:
        ValueError: a value is out of range.

    Examples:
        >>> Training(steps=0)
        Traceback (most recent call last):
        ...
        ValueError: steps is 0; expected at least 1
    """

    __pydantic_config__ = _STRICT

    steps: int = 100_000
    batch: int = 8
    crops_at_once: Annotated[int | None, Sort.SPEED] = None
    activations: Annotated[Literal["stored", "checkpointed", "reversible"], Sort.SPEED] = "stored"
    learning_rate: float = 1e-4
    schedule: Literal["halve", "cosine"] = "halve"
    halve_at: tuple[float, ...] = (0.5, 0.75, 0.9, 0.95)
    warmup: int = 0
    betas: tuple[float, float] = (0.9, 0.99)
    clip_norm: float = 0.0
    ema: float = 0.0
    shift_rate_factor: float = 1.0
    encoder_delay: float = 0.0
    encoder_weights: Annotated[str | None, Sort.PLACE] = None
    initial_model: Annotated[str | None, Sort.PLACE] = None
    seed: int = 0
    checkpoint_every: Annotated[int, Sort.SPEED] = 500
    image_every: Annotated[int, Sort.SPEED] = 1000
    monitor_every: int = 200
    select: Literal["code_length", "evidence", "last"] = "code_length"
    log_every: Annotated[int, Sort.SPEED] = 10
    max_skipped: Annotated[int, Sort.SPEED] = 20
    workers: Annotated[int, Sort.SPEED] = 2
    accelerator: Annotated[str, Sort.SPEED] = "auto"
    devices: Annotated[int, Sort.SPEED] = 1
    strategy: Annotated[str, Sort.SPEED] = "auto"
    precision: str = "32-true"

    def __post_init__(self) -> None:
        for name in ("steps", "checkpoint_every", "log_every", "max_skipped", "devices"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        not_negative = ("workers", "warmup", "clip_norm", "image_every", "monitor_every", "seed", "shift_rate_factor")
        for name in (*not_negative, "encoder_delay"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} is {getattr(self, name)}; expected 0 or more")
        if self.crops_at_once is not None and self.crops_at_once < 1:
            raise ValueError(
                f"crops_at_once is {self.crops_at_once}; expected at least 1, or null for the usual number"
            )
        if self.batch < 2 or self.batch % (2 * self.devices):
            raise ValueError(
                f"batch is {self.batch} on {self.devices} device(s); expected a multiple of {2 * self.devices}: "
                "each device gets as many clean as degraded crops"
            )
        if not all(0 <= fraction <= 1 for fraction in (*self.halve_at, self.encoder_delay)):
            raise ValueError(
                f"halve_at is {self.halve_at}, encoder_delay is {self.encoder_delay}; expected fractions from 0 to 1"
            )
        if self.learning_rate <= 0:
            raise ValueError(f"learning_rate is {self.learning_rate}; expected a positive number")
        if not all(0 <= beta < 1 for beta in self.betas):
            raise ValueError(f"betas is {self.betas}; expected two numbers from 0 to below 1, like [0.9, 0.99]")
        if not 0 <= self.ema < 1:
            raise ValueError(f"ema is {self.ema}; expected a decay from 0 to below 1, like 0.999")
        if self.precision in WEIGHTS_IN_HALF_PRECISION:
            raise ValueError(
                f"precision is {self.precision!r}; weights in half precision lose Adam's small steps: expected "
                "'bf16-mixed', '16-mixed', '32-true' or '64-true'"
            )
        if self.seed >= 2**32:
            raise ValueError(f"seed is {self.seed}; expected less than 2**32")


@dataclass(frozen=True)
class Run:
    """A whole training run.

    Attributes:
        architecture: what the network is.
        data: what is trained on.
        training: how it is trained.

    Examples:
        >>> from dataclasses import replace
        >>> run = Run(data=Data(crop=64))
        >>> replace(run, training=replace(run.training, steps=500)).training.steps
        500
    """

    __pydantic_config__ = _STRICT

    architecture: Architecture = field(default_factory=Architecture)
    data: Data = field(default_factory=Data)
    training: Training = field(default_factory=Training)
