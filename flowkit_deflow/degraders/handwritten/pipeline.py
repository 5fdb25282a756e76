"""Hand-written degradations as a degrader."""

from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor

from flowkit_deflow.degraders.degrader import require_degradable
from flowkit_deflow.degraders.handwritten.operation import Operation
from flowkit_deflow.degraders.handwritten.plain_values import from_plain, to_plain
from flowkit_deflow.degraders.handwritten.presets import PIPELINES
from flowkit_deflow.degraders.handwritten.resizing import resized
from flowkit_deflow.errors import UserError
from flowkit_deflow.model_folder import read_model_folder, write_model_folder

__all__ = ["HandWritten"]


class HandWritten:
    r"""Degrade images by operations that somebody wrote down, their constants drawn anew for each version.

    .. math:: y = x + \tau \left(g(x) - x\right)

    cut to [0, 1], with the operations :math:`g` and the temperature :math:`\tau`. Where :math:`g` gives images of
    another size, x is resized to it.

    Args:
        operation: an operation, or the name of a pipeline in ``PIPELINES``: ``real-esrgan`` or ``bsrgan``.
        scale: height and width of the result are those of the image divided by this, rounded up. With 1, a degrader
            like any other; with 4, it makes low-resolution images of photographs in one go, as the papers do.

    Raises:
        ValueError: the pipeline's name is unknown, or the scale is under 1.

    References:
        Real-ESRGAN (Wang et al., ICCV workshops 2021) and BSRGAN (Zhang et al., ICCV 2021);
        ``flowkit_deflow.degraders.handwritten.presets`` has every constant.

    Examples:
        >>> from flowkit_deflow.degraders.handwritten.blur import GaussianBlur
        >>> from flowkit_deflow.degraders.handwritten.combining import InOrder
        >>> from flowkit_deflow.degraders.handwritten.jpeg import Jpeg
        >>> own = HandWritten(InOrder((GaussianBlur((0.5, 2.0)), Jpeg((50, 95)))))
        >>> own.degrade(torch.rand(2, 3, 24, 16), samples=3).shape
        torch.Size([3, 2, 3, 24, 16])
        >>> HandWritten("real-esrgan", scale=4).degrade(torch.rand(1, 3, 64, 48)).shape
        torch.Size([1, 3, 16, 12])
    """

    kind: ClassVar[str] = "handwritten"

    def __init__(self, operation: Operation | str, scale: int = 1) -> None:
        if isinstance(operation, str):
            if operation not in PIPELINES:
                raise ValueError(f"pipeline {operation!r} is unknown; there are: {', '.join(PIPELINES)}")
            operation = PIPELINES[operation]
        if scale < 1:
            raise ValueError(f"scale is {scale}; expected at least 1")
        self.operation, self.scale = operation, scale

    def degrade(
        self,
        images: Tensor,
        temperature: float = 1.0,
        samples: int | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Degraded versions of images.

        Args:
            images: ``B x 3 x H x W`` in [0, 1].
            temperature: how far to go from the image to its degraded version: 0 not at all, 1 all the way.
            samples: how many versions of each; ``None`` for one, without a dimension for it.
            generator: source of randomness; ``None`` for PyTorch's global one.

        Returns:
            ``B x 3 x H/scale x W/scale`` in [0, 1], or ``samples x B x ...``.

        Raises:
            ValueError: not a batch of RGB images in [0, 1], ``samples`` is under 1, or the temperature is negative or
                not finite.
        """
        require_degradable(images, temperature, samples)
        height, width = (-(-side // self.scale) for side in images.shape[-2:])
        size = (height, width)
        versions = images.new_empty((samples or 1, *images.shape[:2], *size))
        with torch.no_grad():
            clean = torch.cat([resized(image, size, "area") for image in images.split(1)]) if len(images) else images
            for version in versions:
                for place, image in enumerate(images.split(1)):
                    version[place] = resized(self.operation.apply(image, size, generator), size, "bicubic")[0]
            versions = (clean + temperature * (versions - clean)).clamp(0, 1)
        return versions[0] if samples is None else versions

    def save_pretrained(self, folder: str | Path) -> None:
        """Write it as a model folder; see ``flowkit_deflow.model_folder.write_model_folder``."""
        write_model_folder(folder, self.kind, {"scale": self.scale, "pipeline": to_plain(self.operation)}, {})

    @classmethod
    def from_pretrained(cls, folder: str | Path) -> Self:
        """Read what :meth:`save_pretrained` wrote; ``pipeline`` may also be the name of one.

        Raises:
            UserError: a file is missing or damaged, or the folder holds another kind of model.
        """
        stored = read_model_folder(folder)
        stored.require(cls.kind)
        match stored.settings:
            case {"scale": int(scale), "pipeline": pipeline, **others} if not others:
                pass
            case _:
                raise UserError(f"{stored.config}: expected the settings 'scale' and 'pipeline', got {stored.settings}")
        try:
            return cls(pipeline if isinstance(pipeline, str) else from_plain(pipeline), scale)
        except ValueError as error:
            raise UserError(f"{stored.config}: {error}") from None
