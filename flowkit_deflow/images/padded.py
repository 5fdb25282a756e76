"""Images of any size, as a network sees them whose sides are multiples of a number."""

import torch
from torch import Tensor

from flowkit_deflow.images.resize import Window, bicubic_downsample, reflected

__all__ = ["PaddedImages"]

# How far the antialiased bicubic filter reaches from an output's centre, in pixels of the output.
REACH = 2


class PaddedImages:
    """Images whose sides are padded to multiples of a number by mirroring, seen window by window.

    What :func:`flowkit_deflow.pad_to_multiple` makes in one piece, this makes for a window alone: a large photograph
    stays as it is in memory, best as bytes.

    Args:
        images: ``B x 3 x H x W``: floating-point numbers in [0, 1], or bytes, which stand for their 255th.
        multiple: what divides the padded sides.
        dtype: of what is seen.
        device: likewise.

    Examples:
        >>> images = PaddedImages(torch.full((1, 3, 5, 6), 51, dtype=torch.uint8), 4, torch.float32)
        >>> images.height, images.width
        (8, 8)
        >>> images.window(Window(4, 0, 4, 8))[0, 0, 0, 0].item()
        0.20000000298023224
    """

    def __init__(
        self, images: Tensor, multiple: int, dtype: torch.dtype, device: torch.device | str | None = None
    ) -> None:
        self.images, self.dtype = images, dtype
        self.device = images.device if device is None else device
        height, width = images.shape[-2:]
        self.height, self.width = (-(-side // multiple) * multiple for side in (height, width))
        self._rows = reflected(height, 0, self.height - height, images.device)
        self._columns = reflected(width, 0, self.width - width, images.device)

    @property
    def shape(self) -> tuple[int, int, int, int]:
        """``B x 3 x H x W``, padded."""
        batch, channels = self.images.shape[:2]
        return batch, channels, self.height, self.width

    def window(self, window: Window) -> Tensor:
        """The pixels of a window, in [0, 1]."""
        top, left, height, width = window
        rows, columns = self._rows[top : top + height], self._columns[left : left + width]
        seen = self.images.index_select(-2, rows).index_select(-1, columns).to(self.device)
        return seen.to(self.dtype) / 255 if seen.dtype is torch.uint8 else seen.to(self.dtype)

    def downsampled(self, window: Window, factor: int) -> Tensor:
        """A window of the images, downsampled: what :func:`bicubic_downsample` makes of the whole, cut to the window.

        Args:
            window: in pixels of the images, every number of it a multiple of the factor.
            factor: by how much.
        """
        margin = REACH * factor
        top, left = max(0, window.top - margin), max(0, window.left - margin)
        bottom = min(self.height, window.top + window.height + margin)
        right = min(self.width, window.left + window.width + margin)
        around = self.window(Window(top, left, bottom - top, right - left))
        inside = Window(
            (window.top - top) // factor,
            (window.left - left) // factor,
            window.height // factor,
            window.width // factor,
        )
        return bicubic_downsample(around, factor, inside)
