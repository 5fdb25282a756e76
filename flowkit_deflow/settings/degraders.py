"""What can be set of the degraders besides DeFlow, and of how they are learned."""

from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import ConfigDict

from flowkit_deflow.settings.sorts import Sort

__all__ = [
    "CameraRun",
    "FolderData",
    "HandWrittenRun",
    "ImpressionismRun",
    "KernelEstimation",
    "MixtureParts",
    "MixtureRun",
    "NoisePatches",
    "NoneRun",
    "Pipeline",
    "WhiteNoiseSettings",
    "WhiteRun",
]

_STRICT = ConfigDict(coerce_numbers_to_str=True, extra="forbid", allow_inf_nan=False)


@dataclass(frozen=True)
class FolderData:
    """The two unrelated folders that a degradation is learned from.

    Attributes:
        clean: folder of clean images.
        degraded: folder of degraded images.
        clean_downsample: factor by which clean images are downsampled first.
        strict: stop at the first unreadable image, instead of going on without it.

    Raises:
        ValueError: the factor is below 1.

    Examples:
        >>> FolderData(clean="photos", degraded="scans").clean_downsample
        1
    """

    __pydantic_config__ = _STRICT

    clean: Annotated[str | None, Sort.PLACE] = None
    degraded: Annotated[str | None, Sort.PLACE] = None
    clean_downsample: int = 1
    strict: Annotated[bool, Sort.SPEED] = False

    def __post_init__(self) -> None:
        if self.clean_downsample < 1:
            raise ValueError(f"clean_downsample is {self.clean_downsample}; expected a factor of at least 1")


@dataclass(frozen=True)
class NoneRun:
    """Nothing is learned: images stay as they are.

    Attributes:
        degrader: its name.
        data: not looked at.
    """

    __pydantic_config__ = _STRICT

    degrader: Literal["none"] = "none"
    data: FolderData = field(default_factory=FolderData)


@dataclass(frozen=True)
class WhiteNoiseSettings:
    """How strong white noise is.

    Attributes:
        sigma: its standard deviation, for images in [0, 1]; ``None``: that of the degraded images at their flat places.
        uniform: draw it for each image from 0 to ``sigma``.

    Raises:
        ValueError: ``sigma`` is not from 0 to 1.
    """

    __pydantic_config__ = _STRICT

    sigma: float | None = None
    uniform: bool = False

    def __post_init__(self) -> None:
        if self.sigma is not None and not 0 <= self.sigma <= 1:
            raise ValueError(
                f"sigma is {self.sigma}; expected a standard deviation from 0 to 1, for images in [0, 1]: 25 grey "
                "levels are 0.098"
            )


@dataclass(frozen=True)
class WhiteRun:
    """White Gaussian noise.

    Attributes:
        degrader: its name.
        data: the degraded images, where the noise's strength is estimated.
        noise: how strong it is.
    """

    __pydantic_config__ = _STRICT

    degrader: Literal["white"] = "white"
    data: FolderData = field(default_factory=FolderData)
    noise: WhiteNoiseSettings = field(default_factory=WhiteNoiseSettings)


@dataclass(frozen=True)
class CameraRun:
    """Correlated Gaussian noise that follows brightness, measured at flat places.

    Attributes:
        degrader: its name.
        data: both folders.
    """

    __pydantic_config__ = _STRICT

    degrader: Literal["camera"] = "camera"
    data: FolderData = field(default_factory=FolderData)


@dataclass(frozen=True)
class NoisePatches:
    """Which patches of the degraded images are taken for noise.

    Attributes:
        side: of the patches (pixels).
        max_variance: largest variance of their grey levels (0 to 255); ``None``: that which a hundredth of all patches
            stay below.
        min_mean: smallest mean of their grey levels.
        most: how many are kept; of more, some at random.

    Raises:
        ValueError: a number is out of range.
    """

    __pydantic_config__ = _STRICT

    side: int = 256
    max_variance: float | None = 20.0
    min_mean: float = 0.0
    most: int = 500

    def __post_init__(self) -> None:
        if self.side < 8 or self.most < 1:
            raise ValueError(f"side is {self.side}, most is {self.most}; expected at least 8 pixels and one patch")
        if self.max_variance is not None and self.max_variance <= 0:
            raise ValueError(f"max_variance is {self.max_variance}; expected a positive number, or null")


@dataclass(frozen=True)
class KernelEstimation:
    """How blur kernels are estimated by KernelGAN.

    They are kernels of downsampling; applied is what they blur beyond bicubic downsampling.

    Attributes:
        images: how many of the degraded images; 0: no blur, right for images that are as sharp as the clean ones.
        scale: 2, or 4 for the composition of the kernel with itself.
        steps: of each image's training.
        channels: of generator and discriminator.
        crop: side of the crops (pixels).
        learning_rate: of Adam.

    Raises:
        ValueError: a number is out of range.
    """

    __pydantic_config__ = _STRICT

    images: int = 0
    scale: int = 2
    steps: int = 3000
    channels: int = 64
    crop: int = 64
    learning_rate: float = 2e-4

    def __post_init__(self) -> None:
        if self.images < 0 or min(self.steps, self.channels) < 1 or self.crop < 32 or self.learning_rate <= 0:
            raise ValueError(
                f"images is {self.images}, steps {self.steps}, channels {self.channels}, crop {self.crop}, "
                f"learning_rate {self.learning_rate}; expected images >= 0, crops of at least 32, the others positive"
            )
        if self.scale not in (2, 4):
            raise ValueError(f"scale is {self.scale}; KernelGAN estimates kernels of scale 2, and of 4 by composition")


@dataclass(frozen=True)
class ImpressionismRun:
    """Blur kernels and noise patches of the degraded images.

    Attributes:
        degrader: its name.
        data: the degraded images.
        patches: which patches are taken for noise.
        kernels: how blur is estimated.
        kernel_folder: of kernels that are there already, of the scale ``kernels.scale``, as ``deflow kernels`` writes
            them; ``None`` to estimate.
        seed: what random choices depend on.

    Raises:
        ValueError: kernels are to be both estimated and read.
    """

    __pydantic_config__ = _STRICT

    degrader: Literal["impressionism"] = "impressionism"
    data: FolderData = field(default_factory=FolderData)
    patches: NoisePatches = field(default_factory=NoisePatches)
    kernels: KernelEstimation = field(default_factory=KernelEstimation)
    kernel_folder: str | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        if self.kernel_folder is not None and self.kernels.images:
            raise ValueError(
                f"kernel_folder is {self.kernel_folder!r} and kernels.images {self.kernels.images}; kernels are either "
                "read or estimated: set kernels.images to 0, or leave kernel_folder out"
            )


@dataclass(frozen=True)
class Pipeline:
    """A hand-written degradation.

    Attributes:
        name: ``real-esrgan`` or ``bsrgan``.
        scale: the clean image's size over the degraded one's.

    Raises:
        ValueError: the scale is below 1.
    """

    __pydantic_config__ = _STRICT

    name: Literal["real-esrgan", "bsrgan"] = "real-esrgan"
    scale: int = 1

    def __post_init__(self) -> None:
        if self.scale < 1:
            raise ValueError(f"scale is {self.scale}; expected at least 1")


@dataclass(frozen=True)
class HandWrittenRun:
    """Nothing is learned: operations that somebody wrote down.

    Attributes:
        degrader: its name.
        data: not looked at.
        pipeline: which operations.
    """

    __pydantic_config__ = _STRICT

    degrader: Literal["handwritten"] = "handwritten"
    data: FolderData = field(default_factory=FolderData)
    pipeline: Pipeline = field(default_factory=Pipeline)


@dataclass(frozen=True)
class MixtureParts:
    """Of what a mixture consists.

    Attributes:
        folders: model folders of degraders.
        weights: how often each is drawn; empty: all alike.

    Raises:
        ValueError: the weights are not one positive number for each folder.
    """

    __pydantic_config__ = _STRICT

    folders: Annotated[tuple[str, ...], Sort.PLACE] = ()
    weights: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        if self.weights and (len(self.weights) != len(self.folders) or min(self.weights) <= 0):
            raise ValueError(
                f"weights is {self.weights} of {len(self.folders)} folders; expected one positive number for each"
            )


@dataclass(frozen=True)
class MixtureRun:
    """A mixture of degraders that are there already.

    Attributes:
        degrader: its name.
        data: not looked at.
        mixture: of what it consists.
    """

    __pydantic_config__ = _STRICT

    degrader: Literal["mixture"] = "mixture"
    data: FolderData = field(default_factory=FolderData)
    mixture: MixtureParts = field(default_factory=MixtureParts)
