"""The multilayer perceptron as a conditioner."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from flowkit.nn.context_linear import ContextLinear, require_features
from flowkit.nn.new_activation import new_activation
from flowkit.recorded import Recorded

__all__ = ["MLP", "rectifier", "zero_"]


def rectifier() -> nn.Module:
    """A ReLU in place: the result of the layer before it is of no use to that layer's gradient.

    Examples:
        >>> x = torch.tensor([-1.0, 2.0])
        >>> rectifier()(x) is x
        True
    """
    return nn.ReLU(inplace=True)


class MLP(Recorded, nn.Module):
    r"""A multilayer perceptron for vectors, conditional or not: :math:`W_n\,\sigma(\dots\sigma(W_1 [x, c] + b_1))+b_n`.

    The first layer's part over the context is computed apart, once per context, by :meth:`prepare`, and added. The
    last layer starts at zero: a layer whose parameters it sets starts as that layer's transform at 0. For a network
    of the context alone (in an :class:`~flowkit.Injector`, say), take the context as the data.

    Args:
        in_features: entries of the data that it sees, at least 1.
        out_features: entries of its output, at least 1.
        hidden: widths of the hidden layers; none for a linear map.
        context_features: entries of the context; 0 for none.
        activation: makes the activation between two layers, called without arguments; by default ReLU, in place.

    Raises:
        ValueError: a width is less than 1; a context is missing, or given where none was announced, or of other width.

    References:
        Rumelhart, Hinton and Williams, *Learning representations by back-propagating errors*, Nature, 1986.

    Examples:
        >>> network = MLP(2, 6, hidden=(16,), context_features=3)
        >>> network(torch.rand(5, 2), network.prepare(torch.rand(1, 3))).shape
        torch.Size([5, 6])
    """

    def __init__(
        self,
        in_features: int,
        out_features: int,
        hidden: Sequence[int] = (64, 64),
        context_features: int = 0,
        activation: Callable[[], nn.Module] = rectifier,
    ) -> None:
        super().__init__()
        widths = [*hidden, out_features]
        for width in widths:
            require_features("a layer", width)
        self.first = ContextLinear(in_features, widths[0], context_features)
        self.rest = nn.Sequential()
        for before, after in pairwise(widths):
            self.rest.append(new_activation(activation))
            self.rest.append(nn.Linear(before, after))
        zero_(self.last)

    @property
    def last(self) -> nn.Linear:
        """The last layer."""
        return self.rest[-1] if len(self.rest) else self.first  # type: ignore[return-value]

    def prepare(self, context: Tensor | None) -> Tensor | None:
        """The first layer's part over the context ``batch x context_features``; ``None`` for no context."""
        return self.first.prepare(context)

    def forward(self, x: Tensor, prepared: Tensor | None = None) -> Tensor:
        """``batch x in_features`` and what :meth:`prepare` returned to ``batch x out_features``, any batch shape."""
        return self.rest(self.first(x, prepared))


@torch.no_grad()
def zero_(layer: nn.Module) -> None:
    """Set all parameters of a layer to zero, in place.

    Args:
        layer: any module.

    Examples:
        >>> layer = nn.Linear(2, 1)
        >>> zero_(layer)
        >>> layer.bias.item()
        0.0
    """
    for parameter in layer.parameters():
        parameter.zero_()
