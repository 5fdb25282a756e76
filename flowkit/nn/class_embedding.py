"""A network of a class number."""

from typing import Any

import torch
from torch import Tensor, nn

from flowkit.ops.values import readable
from flowkit.recorded import Recorded

__all__ = ["ClassEmbedding"]


class ClassEmbedding(Recorded, nn.Module):
    r"""A learned vector for each class, the same at every position of an image: :math:`y = W_k`.

    It starts at zero, so that what it sets starts the same for every class.

    Args:
        classes: how many, >= 1.
        channels: entries of a vector, >= 1.
        positions: dimensions of size one that follow: 2 for images, 0 for vectors.

    Raises:
        ValueError: a number is too small, or (when called) a class lies outside ``0 ... classes - 1`` (in eager mode).
        TypeError: (when called) the class is no integer or integer tensor.

    References:
        Kingma and Dhariwal, "Glow: generative flow with invertible 1x1 convolutions", NeurIPS 2018: the prior of the
        code that was published with it.

    Examples:
        >>> ClassEmbedding(10, 6)(torch.tensor([3, 7])).shape
        torch.Size([2, 6, 1, 1])
    """

    context_dims = 0

    def __init__(self, classes: int, channels: int, positions: int = 2) -> None:
        super().__init__()
        if classes < 1 or channels < 1 or positions < 0:
            raise ValueError(
                f"classes, channels and positions are {classes}, {channels} and {positions}; an embedding has at least "
                "1, 1 and 0"
            )
        self.classes = classes
        self.positions = positions
        self.weight = nn.Parameter(torch.zeros(classes, channels))

    def forward(self, label: Any) -> Tensor:
        """Classes of any batch shape, or one for all, to ``batch x channels x 1 x ...``."""
        if isinstance(label, int) and not isinstance(label, bool):
            label = torch.tensor(label)
        if not isinstance(label, Tensor) or label.dtype not in (torch.uint8, torch.int32, torch.int64):
            got = f"a {label.dtype} tensor" if isinstance(label, Tensor) else type(label).__name__
            raise TypeError(f"the label is {got}; class numbers are an integer tensor of the batch shape: label.long()")
        if readable(label) and label.numel():
            least, most = int(label.min()), int(label.max())
            if least < 0 or most >= self.classes:
                wrong = least if least < 0 else most
                raise ValueError(f"the label has the class {wrong}; there are {self.classes}, 0 to {self.classes - 1}")
        vectors = self.weight[label.to(self.weight.device, torch.int64)]
        return vectors.reshape(*vectors.shape, *(1,) * self.positions)
