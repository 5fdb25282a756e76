"""Networks of the catalogue's cases, as a user would write them."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["CONTEXT", "HIDDEN", "ConcatLinear", "Flip", "Pick", "Pyramid"]

# Width of hidden layers, channels of contexts.
HIDDEN = 6
CONTEXT = 3


class ConcatLinear(nn.Module):
    """A conditional network for vectors that knows nothing of ``prepare``.

    Args:
        in_features: of the data.
        context_features: of the context.
        out_features: of the result.

    Examples:
        >>> ConcatLinear(2, 3, 4)(torch.ones(5, 2), torch.ones(1, 3)).shape
        torch.Size([5, 4])
    """

    def __init__(self, in_features: int, context_features: int, out_features: int) -> None:
        super().__init__()
        self.linear = nn.Linear(in_features + context_features, out_features)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        """``batch x in_features`` and a context to ``batch x out_features``."""
        return self.linear(torch.cat([x, context.expand(*x.shape[:-1], context.shape[-1])], -1))


class Flip(nn.Module):
    """A context mirrored: a function of it that has no parameters.

    Examples:
        >>> Flip()(torch.tensor([1.0, 2.0]))
        tensor([2., 1.])
    """

    def forward(self, context: Tensor) -> Tensor:
        """``... x W``, its last dimension turned round."""
        return context.flip(-1)


class Pick(nn.Module):
    """One of several contexts: ``operator.itemgetter`` as a module.

    Args:
        index: which.

    Examples:
        >>> Pick(1)(["coarse", "fine"])
        'fine'
    """

    def __init__(self, index: int) -> None:
        super().__init__()
        self.index = index

    def forward(self, contexts: list[Tensor]) -> Tensor:
        """The one of that index."""
        return contexts[self.index]


class Pyramid(nn.Module):
    """An encoder: a small image to features for each level, finest first.

    Args:
        channels: of the image, and of the features.
        levels: how many.

    Examples:
        >>> [tuple(features.shape) for features in Pyramid(3, levels=2)(torch.ones(1, 3, 4, 4))]
        [(1, 3, 8, 8), (1, 3, 4, 4)]
    """

    def __init__(self, channels: int, levels: int) -> None:
        super().__init__()
        self.levels = levels
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, image: Tensor) -> list[Tensor]:
        """``batch x channels x H x W`` to a list of ``batch x channels x 2^l H x 2^l W``."""
        batch = image.shape[:-3]
        features = F.softplus(self.conv(image.reshape(-1, *image.shape[-3:])))
        enlarged = [
            F.interpolate(features, scale_factor=2**level, mode="nearest") for level in reversed(range(self.levels))
        ]
        return [level.reshape(*batch, *level.shape[-3:]) for level in enlarged]
