"""The start of affine layers that learn to tell apart what they do."""

import torch
from torch import nn

__all__ = ["start_with_random_shifts"]


def start_with_random_shifts(last: nn.Linear) -> None:
    """Let a network of shifts and log-scales, in turn, start by giving small random shifts and log-scales of zero.

    Layers that all start as the identity get the same gradients at first, and learn the same; scales that start at
    random have to be unlearned where there are few data.

    Args:
        last: the network's last layer; it is changed.

    Examples:
        >>> layer = nn.Linear(3, 4)
        >>> start_with_random_shifts(layer)
        >>> (layer(torch.rand(3)) != 0).tolist()
        [True, False, True, False]
    """
    last.reset_parameters()
    with torch.no_grad():
        for parameter in last.parameters():
            parameter[1::2] = 0
