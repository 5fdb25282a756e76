"""A bijector turned round."""

from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import Bijector, Interval, InTurn, Shape, Step
from flowkit.bijectors.parts import require_bijector
from flowkit.supports.support import Support

__all__ = ["Inverse"]


class Inverse(Bijector[Any, Any]):
    """A bijector turned round, :math:`z = g^{-1}(x)`: forward of the one is inverse of the other.

    Args:
        bijector: the bijector ``g`` to turn round; shapes, domain and context are its own, exchanged.

    Examples:
        >>> from flowkit import Squeeze
        >>> Inverse(Squeeze()).output_shape((12, 4, 4))
        (3, 8, 8)
    """

    takes_context = False

    def __init__(self, bijector: Bijector[Any, Any]) -> None:
        super().__init__()
        require_bijector(bijector, "Inverse")
        self.bijector = bijector
        self.event_dims = bijector.latent_event_dims
        self.batch_dims = bijector.batch_dims

    def output_shape(self, shape: Shape) -> Shape:
        """The input shape of the bijector within."""
        return self.bijector.input_shape(shape)

    def input_shape(self, shape: Shape) -> Shape:
        """The output shape of the bijector within."""
        return self.bijector.output_shape(shape)

    def domain(self, dtype: torch.dtype) -> Interval:
        """The codomain of the bijector within."""
        return self.bijector.codomain(dtype)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """The domain of the bijector within."""
        return self.bijector.domain(dtype)

    @property
    def moves_entries(self) -> bool:
        """As the bijector within."""
        return self.bijector.moves_entries

    @property
    def keeps_lengths(self) -> bool:
        """As the bijector within."""
        return self.bijector.keeps_lengths

    def data_support(self) -> Support | None:
        """That of the latents of the bijector within."""
        return self.bijector.latent_support()

    def latent_support(self) -> Support | None:
        """That of the data of the bijector within."""
        return self.bijector.data_support()

    @property
    def latent_event_dims(self) -> int:
        """Those of the data of the bijector within."""
        return self.bijector.event_dims

    def prepare(self, context: Any) -> Any:
        """What the bijector within prepares."""
        return self.bijector.prepare(context)

    def _prepare_in_turn(self, context: Any) -> InTurn:
        return InTurn(context)

    def _steps(self, context: Any) -> list[Step]:
        return [step.turned() for step in reversed(self.bijector._steps_as_part(context))]

    def _forward(self, x: Any, prepared: Any) -> tuple[Any, Tensor]:
        return self.bijector.run(x, prepared, inverse=True)

    def _inverse(self, z: Any, prepared: Any) -> tuple[Any, Tensor]:
        return self.bijector.run(z, prepared)
