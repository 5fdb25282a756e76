"""A vector field that moves in time."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from flowkit.nn.context_linear import ContextLinear
from flowkit.nn.new_activation import new_activation
from flowkit.recorded import Recorded

__all__ = ["TimeMLP"]


class TimeMLP(Recorded, nn.Module):
    r"""A multilayer perceptron of a point, a time and a context: the vector field :math:`\dot x = f(t, x, c)`.

    The first layer is linear in all three: :math:`h_1 = \phi(W x + u t + V c + b)`; its part over the context is
    computed once by :meth:`prepare`. The last layer starts small, not at zero: a new field hardly moves anything, yet
    every parameter gets a gradient.

    Args:
        features: size of a point.
        hidden: widths of the layers between; at least one.
        context_features: size of the context; 0 for none.
        activation: makes an activation. It must be smooth: the log-determinant of the flow holds the field's first
            derivative, and its gradient the second. With :math:`\tanh` the field is bounded, so that a solution
            exists at all times whatever the parameters.

    Raises:
        ValueError: there is no hidden layer; or, when called, the input has another size, or a context is missing,
            superfluous or of another size.

    References:
        Grathwohl, Chen, Bettencourt, Sutskever and Duvenaud, "FFJORD: Free-form Continuous Dynamics for Scalable
        Reversible Generative Models", ICLR 2019, section 4.

    Examples:
        >>> field = TimeMLP(2, hidden=(16,))
        >>> field(torch.tensor(0.5), torch.rand(5, 2)).shape
        torch.Size([5, 2])
    """

    def __init__(
        self,
        features: int,
        hidden: Sequence[int] = (64, 64),
        context_features: int = 0,
        activation: Callable[[], nn.Module] = nn.Tanh,
    ) -> None:
        super().__init__()
        if not hidden:
            raise ValueError("hidden is empty; a field needs at least one hidden layer")
        self.features = features
        self.first = ContextLinear(features, hidden[0], context_features)
        self.time_weight = nn.Parameter(nn.init.uniform_(torch.empty(hidden[0]), -1, 1))
        last = nn.Linear(hidden[-1], features)
        between = [part for n, m in pairwise(hidden) for part in (nn.Linear(n, m), new_activation(activation))]
        self.rest = nn.Sequential(new_activation(activation), *between, last)
        nn.init.normal_(last.weight, std=0.01)
        nn.init.zeros_(last.bias)

    def prepare(self, context: Tensor | None) -> Tensor | None:
        """The first layer's part over the context, ``batch x hidden``; ``None`` for none."""
        return self.first.prepare(context)

    def forward(self, t: Tensor, x: Tensor, prepared: Tensor | None = None) -> Tensor:
        """The velocity, ``batch x features``.

        Args:
            t: the time, a tensor of no dimensions; or one for each point, ``batch x 1``.
            x: the points, ``batch x features``.
            prepared: what :meth:`prepare` returned.
        """
        if x.shape[-1] != self.features:
            raise ValueError(f"this field takes {self.features} features, got an input of shape {tuple(x.shape)}")
        return self.rest(self.first(x, prepared) + self.time_weight * t)
