"""Events in another shape."""

import math
from collections.abc import Sequence
from typing import Any

from torch import Tensor

from flowkit.bijector import Bijector, Shape
from flowkit.bijectors.identity import no_log_det
from flowkit.counts import require_counts

__all__ = ["Reshape"]


class Reshape(Bijector[Tensor, Tensor]):
    r"""Events of one shape to events of another, of as many entries in the same order: :math:`z_n = x_n`.

    The log-determinant is 0. The number of event dimensions may change: ``Reshape((3, 8, 8), (192,))`` lets a flow
    over vectors follow one over images.

    Args:
        data_shape: event shape of the data.
        latent_shape: event shape of the latents.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is under 1, the shapes have different numbers of entries, or (when called) an event has
            another shape.

    References:
        L. Ardizzone et al., "Framework for Easily Invertible Architectures", 2018-2022 (its ``Reshape``).

    Examples:
        >>> import torch
        >>> z, log_det = Reshape((1, 2, 2), (4,))(torch.rand(5, 1, 2, 2))
        >>> z.shape, log_det.shape
        (torch.Size([5, 4]), torch.Size([5]))
    """

    takes_context = False
    moves_entries = True

    def __init__(self, data_shape: Sequence[int], latent_shape: Sequence[int]) -> None:
        super().__init__()
        for name, shape in (("data_shape", data_shape), ("latent_shape", latent_shape)):
            for size in shape:
                require_counts(1, **{f"a size of {name}": size})
        if math.prod(data_shape) != math.prod(latent_shape):
            raise ValueError(
                f"events of shape {tuple(data_shape)} have {math.prod(data_shape)} entries, those of shape "
                f"{tuple(latent_shape)} {math.prod(latent_shape)}: a Reshape keeps their number"
            )
        self.data_shape = tuple(data_shape)
        self.latent_shape = tuple(latent_shape)
        self.event_dims = len(self.data_shape)

    @property
    def latent_event_dims(self) -> int:
        """The dimensions of the latents' shape."""
        return len(self.latent_shape)

    def output_shape(self, shape: Shape) -> Shape:
        """The latents' shape; ValueError for another shape than the data's."""
        return _exchanged(shape, self.data_shape, self.latent_shape)

    def input_shape(self, shape: Shape) -> Shape:
        """The data's shape; ValueError for another shape than the latents'."""
        return _exchanged(shape, self.latent_shape, self.data_shape)

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        batch = x.shape[: x.ndim - len(self.data_shape)]
        return x.reshape(*batch, *self.latent_shape), no_log_det(x, len(self.data_shape))

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        batch = z.shape[: z.ndim - len(self.latent_shape)]
        return z.reshape(*batch, *self.data_shape), no_log_det(z, len(self.latent_shape))


def _exchanged(shape: Shape, expected: tuple[int, ...], other: tuple[int, ...]) -> Shape:
    if tuple(shape) != expected:
        raise ValueError(f"this Reshape takes events of shape {expected} there, got {tuple(shape)}")
    return other
