"""Compression."""

import io
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from flowkit_deflow.degraders.handwritten.operation import Range, Size, uniform
from flowkit_deflow.images.image_writing import to_uint8

__all__ = ["Jpeg"]


@dataclass(frozen=True)
class Jpeg:
    """JPEG there and back, with colours at half the resolution, as most files have them.

    Attributes:
        quality: bounds of the quality, from 1 to 100; whole numbers are used.

    Examples:
        >>> image = torch.rand(1, 3, 16, 16)
        >>> bool((Jpeg((30, 30)).apply(image, (16, 16), None) - image).abs().max() > 0.01)
        True
    """

    quality: Range

    def apply(self, image: Tensor, size: Size, generator: torch.Generator | None) -> Tensor:
        """Compress and decompress."""
        pixels = to_uint8(image[0]).permute(1, 2, 0).cpu().numpy()
        encoded = io.BytesIO()
        Image.fromarray(pixels).save(encoded, "JPEG", quality=round(uniform(self.quality, generator)))
        with Image.open(encoded) as decoded:
            values = torch.from_numpy(np.array(decoded)).permute(2, 0, 1)[None]
        return values.to(image) / 255
