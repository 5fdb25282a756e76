"""The images that were used last."""

from collections import OrderedDict
from collections.abc import Callable, Hashable

from torch import Tensor

from flowkit_deflow.images.image_files import to_uint8

__all__ = ["ImageCache"]


class ImageCache:
    """Keeps images as bytes, up to some size in all; those not used for longest go first.

    Args:
        limit: how many bytes to keep.

    Examples:
        >>> import torch
        >>> cache = ImageCache(1000)
        >>> cache.get("a", lambda: torch.ones(3, 2, 2)).sum().item()
        12.0
        >>> cache.get("a", lambda: torch.zeros(3, 2, 2)).sum().item()  # is there already
        12.0
    """

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.used = 0
        self.images: OrderedDict[Hashable, Tensor] = OrderedDict()

    def get(self, key: Hashable, make: Callable[[], Tensor]) -> Tensor:
        """The image of a key, made if it is not there: ``3 x H x W`` in [0, 1], with 255 levels."""
        if key in self.images:
            self.images.move_to_end(key)
        else:
            image = to_uint8(make())
            self.images[key] = image
            self.used += image.nbytes
            while self.used > self.limit and len(self.images) > 1:
                self.used -= self.images.popitem(last=False)[1].nbytes
        return self.images[key].float() / 255
