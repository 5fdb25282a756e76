"""A network of a class number, or of none."""

from typing import Any

import torch
from torch import Tensor, nn

from flowkit.nn.class_embedding import ClassEmbedding
from flowkit.ops.values import readable
from flowkit.recorded import Recorded

__all__ = ["OptionalClassEmbedding"]


class OptionalClassEmbedding(Recorded, nn.Module):
    r"""A learned vector for each class, and one for no class, which is written -1: :math:`y = W_k`.

    A network trained with some of its labels replaced by -1 knows the data with and without their classes, which
    guidance compares.

    Args:
        classes: how many, >= 1.
        channels: entries of a vector, >= 1.
        positions: dimensions of size one that follow: 2 for images, 0 for vectors.

    Raises:
        ValueError: a number is too small, or (when called) a class lies outside ``-1 ... classes - 1`` (in eager mode).
        TypeError: (when called) the class is no integer or integer tensor.

    References:
        Ho and Salimans, "Classifier-free diffusion guidance", 2022, algorithm 1.

    Examples:
        >>> OptionalClassEmbedding(10, 6)(torch.tensor([3, -1])).shape
        torch.Size([2, 6, 1, 1])
    """

    def __init__(self, classes: int, channels: int, positions: int = 2) -> None:
        super().__init__()
        if classes < 1:
            raise ValueError(f"classes is {classes}; an embedding has at least 1")
        self.classes = classes
        # The last vector is that of no class.
        self.embedding = ClassEmbedding(classes + 1, channels, positions)

    def forward(self, label: Any) -> Tensor:
        """Classes of any batch shape, or one for all, to ``batch x channels x 1 x ...``."""
        if isinstance(label, int) and not isinstance(label, bool):
            label = torch.tensor(label)
        if isinstance(label, Tensor) and label.dtype in (torch.int32, torch.int64):
            if readable(label) and label.numel() and not -1 <= int(label.min()) <= int(label.max()) < self.classes:
                raise ValueError(
                    f"the classes given run from {int(label.min())} to {int(label.max())}; there are {self.classes}, 0 "
                    f"to {self.classes - 1}, and -1 for none"
                )
            label = label.where(label >= 0, self.classes)
        return self.embedding(label)
