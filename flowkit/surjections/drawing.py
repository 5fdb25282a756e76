"""Draws from a base distribution for batches of any shape."""

import math
from typing import Any

import torch
from torch import Tensor

from flowkit.distributions.distribution import Distribution

__all__ = ["draw", "log_prob_given"]


def draw(distribution: Distribution[Any], features: int, given: Tensor, generator: torch.Generator | None) -> Tensor:
    """A vector for each of a batch, drawn given another vector if the distribution depends on one.

    Args:
        distribution: of vectors; where it takes a label, that is ``given``.
        features: entries of a drawn vector.
        given: ``batch x entries``.
        generator: source of randomness; ``None`` for PyTorch's global one.

    Returns:
        ``batch x features``, a differentiable function of parameters and ``given`` where the distribution has that.

    Examples:
        >>> from flowkit import StandardNormal
        >>> draw(StandardNormal(event_dims=1), 2, torch.zeros(4, 5, 3), None).shape
        torch.Size([4, 5, 2])
    """
    batch = given.shape[:-1]
    label = given.reshape(-1, given.shape[-1]) if distribution.takes_label else None
    drawing = distribution.rsample if distribution.is_reparametrised else distribution.sample
    drawn = drawing(math.prod(batch), (features,), label, generator=generator)
    return drawn.to(given).reshape(*batch, features)


def log_prob_given(distribution: Distribution[Any], value: Tensor, given: Tensor) -> Tensor:
    """The log-density of a vector, given another if the distribution depends on one; of the batch shape.

    Examples:
        >>> from flowkit import StandardNormal
        >>> log_prob_given(StandardNormal(event_dims=1), torch.zeros(4, 2), torch.zeros(4, 3)).shape
        torch.Size([4])
    """
    return distribution.log_prob(value, given if distribution.takes_label else None)
