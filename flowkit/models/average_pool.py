"""Context of a lower resolution."""

import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["AveragePool"]


class AveragePool(nn.Module):
    r"""The mean over squares of an image: :math:`y_{chw} = f^{-2} \sum_{i, j < f} x_{c,\, fh + i,\, fw + j}`.

    Args:
        factor: the squares' side ``f``, >= 1.

    Raises:
        ValueError: ``factor`` is under 1, or (when called) height or width is no multiple of it.

    Examples:
        >>> import torch
        >>> AveragePool(2)(torch.ones(5, 3, 4, 6)).shape
        torch.Size([5, 3, 2, 3])
    """

    def __init__(self, factor: int) -> None:
        super().__init__()
        if factor < 1:
            raise ValueError(f"factor is {factor}; a pooling needs at least 1")
        self.factor = factor

    def forward(self, image: Tensor) -> Tensor:
        """``batch x C x H x W`` to ``batch x C x H/f x W/f``, any batch shape."""
        height, width = image.shape[-2:]
        if height % self.factor or width % self.factor:
            raise ValueError(
                f"AveragePool({self.factor}) needs height and width divisible by {self.factor}, got an image of shape "
                f"{tuple(image.shape)}"
            )
        pooled = F.avg_pool2d(image.reshape(-1, *image.shape[-3:]), self.factor)
        return pooled.reshape(*image.shape[:-2], *pooled.shape[-2:])
