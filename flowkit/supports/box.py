"""Boxes: an interval for each entry."""

import torch
from torch import Tensor
from torch.distributions import constraints

from flowkit.supports.support import Support

__all__ = ["BoxSupport"]


class BoxSupport(Support):
    r"""Events whose entries lie each in an open interval of its own: :math:`\prod_i (a_i, b_i)`, with its volume.

    Args:
        lower: ``a``, a tensor that broadcasts to the event.
        upper: ``b``, likewise.
        event_dims: how many trailing dimensions make one event.

    References:
        D. J. Rezende, S. Mohamed, "Variational Inference with Normalizing Flows", ICML 2015.

    Examples:
        >>> box = BoxSupport(torch.zeros(2), torch.tensor([1.0, 5.0]))
        >>> box.contains(torch.tensor([[0.5, 3.0], [3.0, 0.5]]))
        tensor([ True, False])
    """

    def __init__(self, lower: Tensor, upper: Tensor, event_dims: int = 1) -> None:
        self.lower = lower
        self.upper = upper
        self.event_dims = event_dims

    @property
    def description(self) -> str:  # type: ignore[override]
        """The two corners."""
        return f"values in the open box from {self.lower.tolist()} to {self.upper.tolist()}"

    @property
    def constraint(self) -> constraints.Constraint:
        """Torch's ``interval`` over all of an event."""
        # The numbers within the open box are those from the next one after its lower corner on: where a sampler's map
        # onto the box saturates, it gives those, which can be scored.
        lower, upper = torch.nextafter(self.lower, self.upper), torch.nextafter(self.upper, self.lower)
        return constraints.independent(constraints.interval(lower, upper), self.event_dims)

    @property
    def is_product(self) -> bool:
        """Yes."""
        return True

    def contains(self, value: Tensor) -> Tensor:
        """Whether each event lies in the box."""
        return ((value > self.lower) & (value < self.upper)).flatten(value.ndim - self.event_dims).all(-1)

    def draw(
        self, shape: tuple[int, ...], batch: tuple[int, ...], dtype: torch.dtype, generator: torch.Generator
    ) -> Tensor:
        """Events in the box, a fiftieth of its width off its sides."""
        share = 0.02 + 0.96 * torch.randn(*batch, *shape, dtype=torch.float64, generator=generator).sigmoid()
        return torch.lerp(self.lower.double().cpu(), self.upper.double().cpu(), share).to(dtype)
