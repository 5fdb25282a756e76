"""The log-density of a target, as users write it."""

from collections.abc import Callable

from torch import Tensor

__all__ = ["log_density_at"]


def log_density_at(log_density: Callable[[Tensor], Tensor], x: Tensor, event_dims: int) -> Tensor:
    """The log-density, one number per sample.

    Args:
        log_density: from ``batch x event`` to the batch shape.
        x: ``batch x event``.
        event_dims: trailing dimensions of one event.

    Returns:
        What it gives, of the batch shape.

    Raises:
        ValueError: it gives another shape.

    Examples:
        >>> import torch
        >>> log_density_at(lambda x: -x.square().sum(-1) / 2, torch.zeros(5, 2), 1).shape
        torch.Size([5])
    """
    value = log_density(x)
    batch = x.shape[: x.ndim - event_dims]
    if value.shape != batch:
        raise ValueError(
            f"log_density gives the shape {tuple(value.shape)} for data of shape {tuple(x.shape)}; expected one number "
            f"per sample, {tuple(batch)}: sum over the event, or take the last dimension of a network's output off by "
            ".squeeze(-1)"
        )
    return value
