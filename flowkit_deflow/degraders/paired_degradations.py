"""Pairs for training, made while they are trained on."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor
from torch.utils.data import Dataset

from flowkit_deflow.degraders.degrader import SupportsDegrade
from flowkit_deflow.degraders.handwritten.operation import pick, uniform
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import NOT_READ, ImageError, image_size, read_image, survey, unread
from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.images.resize import bicubic_downsample, cropped_to_multiple

__all__ = ["PairedDegradations"]


class PairedDegradations(Dataset[tuple[Tensor, Tensor]]):
    r"""Pairs (degraded low-resolution image, high-resolution image) of a folder of clean photographs, made on the fly.

    .. math:: x = c(\text{crop}), \qquad y \sim a \circ p_\tau \circ {\downarrow_s} \circ b\,(x)

    with what sharpens the clean image, c, what comes before, b, bicubic downsampling by the scale s, a degrader
    :math:`p_\tau` and what comes after, a.
    Everything random about item i depends on the seed, the epoch and i alone: not on the number of workers.

    Args:
        folder: of clean photographs, with folders below it.
        degraders: a degrader, or several, of which one is drawn for each item.
        weights: how often each is drawn, in proportion; ``None``: as often as the others.
        scale: s; the degraders work at the low resolution. One that makes low-resolution images itself, such as
            ``HandWritten("bsrgan", scale=4)``, is given as ``before`` with no ``degraders``.
        crop: side of the high-resolution crops (pixels), a multiple of the scale; ``None``: whole images, cut to
            multiples of the scale.
        temperature: of the degraders, or a range ``(low, high)`` to draw one from for each item.
        sharpen: works on the crop ahead of all else, and so on both images of the pair, such as
            ``HandWritten(UnsharpMask())``, by which Real-ESRGAN sharpens; ``None`` for nothing.
        before: works on the crop, ahead of the downsampling, such as a blur; ``None`` for nothing. What comes out at
            the low resolution already is not downsampled.
        after: works on the degraded image, such as JPEG; ``None`` for nothing.
        seed: any integer.

    Attributes:
        problems: messages on images that are left out: unreadable, smaller than the crop, or, counted by their suffix,
            of a format that is not read.

    Raises:
        ValueError: the numbers do not fit together.
        UserError: no image can be used.

    Examples:
        >>> import tempfile
        >>> from flowkit_deflow.degraders.handwritten.jpeg import Jpeg
        >>> from flowkit_deflow.degraders.handwritten.pipeline import HandWritten
        >>> from flowkit_deflow.degraders.white_noise import WhiteNoise
        >>> from flowkit_deflow.images.image_files import write_image
        >>> folder = Path(tempfile.mkdtemp())
        >>> write_image(folder / "a.png", torch.rand(3, 40, 50))
        >>> noises = [WhiteNoise(0.1), WhiteNoise(0.02)]
        >>> jpeg = HandWritten(Jpeg((60, 95)))
        >>> pairs = PairedDegradations(folder, noises, weights=[1, 3], scale=4, crop=32, after=jpeg)
        >>> low, high = pairs[0]
        >>> low.shape, high.shape
        (torch.Size([3, 8, 8]), torch.Size([3, 32, 32]))
    """

    def __init__(
        self,
        folder: str | Path,
        degraders: SupportsDegrade | Sequence[SupportsDegrade] = (),
        *,
        weights: Sequence[float] | None = None,
        scale: int = 4,
        crop: int | None = 256,
        temperature: float | tuple[float, float] = 1.0,
        sharpen: SupportsDegrade | None = None,
        before: SupportsDegrade | None = None,
        after: SupportsDegrade | None = None,
        seed: int = 0,
    ) -> None:
        self.degraders = [degraders] if isinstance(degraders, SupportsDegrade) else list(degraders)
        self.weights = tuple(weights) if weights is not None else (1.0,) * len(self.degraders)
        if len(self.weights) != len(self.degraders) or any(weight < 0 for weight in self.weights):
            raise ValueError(
                f"{len(self.degraders)} degraders have the weights {self.weights}; expected a number >= 0 for each"
            )
        if self.degraders and sum(self.weights) == 0:
            raise ValueError(f"the weights {self.weights} are all zero; give one of the degraders a weight above 0")
        if scale < 1 or (crop is not None and (crop < scale or crop % scale)):
            raise ValueError(f"crop is {crop} and scale is {scale}; expected a multiple of a scale of 1 or more")
        low, high = temperature if isinstance(temperature, tuple) else (temperature, temperature)
        if not 0 <= low <= high < float("inf"):
            raise ValueError(f"temperature is {temperature}; expected a number >= 0 or a rising range of them")
        self.temperature = (low, high)
        self.scale, self.crop, self.seed = scale, crop, seed
        self.sharpen, self.before, self.after = sharpen, before, after
        found = survey(Path(folder))
        self.problems = [f"{count} {suffix}: {NOT_READ[suffix]}" for suffix, count in unread(found.others).items()]
        self.images = [image for image in found.images if self._is_usable(image)]
        if not self.images:
            raise UserError(f"{folder}: no image in it can be used; the last problem was: {self.problems[-1]}")
        # In shared memory: workers that outlive an epoch see it change.
        self._epoch = torch.zeros((), dtype=torch.int64).share_memory_()

    def _is_usable(self, image: Path) -> bool:
        try:
            height, width = image_size(image)
        except ImageError as error:
            self.problems.append(str(error))
            return False
        smallest = self.crop or self.scale
        if min(height, width) < smallest:
            self.problems.append(f"{image}: {width} x {height} pixels are fewer than the {smallest} that are needed")
            return False
        return True

    def set_epoch(self, epoch: int) -> None:
        """Say which epoch it is, before it starts: crops and degradations are others in each."""
        self._epoch.fill_(epoch)

    def __len__(self) -> int:
        """How many images there are."""
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        """A pair.

        Returns:
            The degraded image ``3 x h x w`` and the clean one ``3 x h s x w s``, both in [0, 1].

        Raises:
            IndexError: there is no such image.
            ImageError: its file is damaged.
        """
        path = self.images[index]
        generator = seeded_generator(self.seed, int(self._epoch), index % len(self))
        clean = self._cropped(read_image(path), generator)
        if self.sharpen is not None:
            clean = self.sharpen.degrade(clean[None], generator=generator)[0]
        low_resolution = clean.shape[-2] // self.scale, clean.shape[-1] // self.scale
        image = clean[None]
        if self.before is not None:
            image = self.before.degrade(image, generator=generator)
        if image.shape[-2:] != low_resolution:
            image = bicubic_downsample(image, self.scale).clamp(0, 1)
        if self.degraders:
            degrader = self.degraders[pick(self.weights, generator)]
            image = degrader.degrade(image, uniform(self.temperature, generator), generator=generator)
        if self.after is not None:
            image = self.after.degrade(image, generator=generator)
        return image[0], clean

    def _cropped(self, image: Tensor, generator: torch.Generator) -> Tensor:
        if self.crop is None:
            return cropped_to_multiple(image, self.scale)
        top, left = (
            int(torch.randint(side - self.crop + 1, (), generator=generator).item()) for side in image.shape[-2:]
        )
        return image[:, top : top + self.crop, left : left + self.crop].contiguous()
