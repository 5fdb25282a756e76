"""The first layer of a conditional network."""

import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.nn.given_context import require_context

__all__ = ["ContextLinear", "require_features"]


class ContextLinear(nn.Linear):
    r"""A linear layer over data and context, whose part over the context is computed once per context.

    .. math:: y = W_x x + b + W_c c, \qquad W = [W_x, W_c].

    Args:
        data_features: entries of ``x``, at least 1.
        out_features: entries of ``y``, at least 1.
        context_features: entries of ``c``, at least 0; 0 for none.

    Raises:
        ValueError: a number is too small; or (from :meth:`prepare`) a context is missing, or given where none was
            announced, or has another number of entries; or (when called) the data has another number.

    Examples:
        >>> import torch
        >>> layer = ContextLinear(2, 5, context_features=3)
        >>> x, context = torch.rand(4, 2), torch.rand(1, 3)
        >>> layer(x, layer.prepare(context)).shape
        torch.Size([4, 5])
    """

    def __init__(self, data_features: int, out_features: int, context_features: int = 0) -> None:
        require_features("the data", data_features)
        require_features("the output", out_features)
        if context_features < 0:
            raise ValueError(f"context_features is {context_features}; a network has a context of 0 features or more")
        super().__init__(data_features + context_features, out_features)
        self.data_features = data_features
        self.context_features = context_features

    @property
    def context_dims(self) -> int | None:
        """Dimensions of the context of one sample; ``None`` without one."""
        return 1 if self.context_features else None

    @property
    def data_weight(self) -> Tensor:
        """``W_x``, ``out_features x data_features``."""
        return self.weight[:, : self.data_features] if self.context_features else self.weight

    def prepare(self, context: Tensor | None) -> Tensor | None:
        """``W_c c``, ``batch x out_features``; ``None`` for no context."""
        require_context(context, self.context_features, 1, self.weight)
        # A call, so that hooks which make the weight (pruning, weight norms) run before it is read.
        return None if context is None else self(None, context=context)

    def forward(self, x: Tensor | None, prepared: Tensor | None = None, context: Tensor | None = None) -> Tensor:
        """The layer's output for the data, plus what was prepared; or its part over a context alone.

        Args:
            x: ``batch x data_features``; ``None`` where a context is given.
            prepared: what :meth:`prepare` returned.
            context: ``batch x context_features``.

        Returns:
            ``batch x out_features``.
        """
        if x is None:
            assert context is not None
            return F.linear(context, self.weight[:, self.data_features :])
        if x.shape[-1] != self.data_features:
            raise ValueError(
                f"this network takes {self.data_features} features, got an input of shape {tuple(x.shape)}"
            )
        y = F.linear(x, self.data_weight, self.bias)
        return y if prepared is None else y + prepared


def require_features(name: str, features: int) -> None:
    """Check that a layer of a network has any width.

    Args:
        name: what has that many features, for the message.
        features: how many.

    Raises:
        ValueError: fewer than 1.

    Examples:
        >>> require_features("the data", 0)
        Traceback (most recent call last):
        ...
        ValueError: the data has 0 features, at least 1 is needed (a network of the context alone takes that as data)
    """
    if features < 1:
        raise ValueError(
            f"{name} has {features} features, at least 1 is needed (a network of the context alone takes that as data)"
        )
