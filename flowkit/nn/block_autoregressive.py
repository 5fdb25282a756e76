"""The block neural autoregressive network: increasing in each feature, given those before it."""

import math
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.constants import WithConstants
from flowkit.nn.context_linear import require_features
from flowkit.nn.given_context import require_context
from flowkit.ops.precision import at_least_float32
from flowkit.recorded import Recorded

__all__ = ["BlockAutoregressive"]


class BlockAutoregressive(Recorded, nn.Module):
    r"""A perceptron of vectors whose output ``i`` increases in feature ``i`` and depends on those before it in any way.

    Each feature has units of its own in each hidden layer. The weights between the units of one feature are positive,
    those to later features are free, those to earlier ones are missing:

    .. math:: h_l = \tanh(W_l h_{l-1} + b_l), \qquad
              W_l = \begin{pmatrix} e^{B_{11}} & 0 & \cdots \\ B_{21} & e^{B_{22}} & \cdots \\
                    \vdots & & \ddots \end{pmatrix}

    with each row divided by its length and times a learned :math:`e^{s}`. So the derivative of an output with respect
    to its own feature is a product of positive blocks, of which the logarithm is kept. The last layer has no hyperbolic
    tangent: no output goes beyond :meth:`largest`.

    Args:
        features: entries of a vector, >= 1.
        units: of each feature in a hidden layer, >= 1.
        layers: how many hidden layers, >= 1.
        context_features: entries of the context, which is added to the first layer; 0 for none.

    Raises:
        ValueError: a number is too small; or (from :meth:`prepare`) a context is missing, or given where none was
            announced, or of another width.

    References:
        De Cao, Titov and Aziz, "Block neural autoregressive flow", UAI 2019, sec. 3.

    Examples:
        >>> network = BlockAutoregressive(3, units=4)
        >>> y, log_derivative = network(torch.rand(5, 3))
        >>> y.shape, log_derivative.shape
        (torch.Size([5, 3]), torch.Size([5, 3]))
    """

    def __init__(self, features: int, units: int = 8, layers: int = 2, context_features: int = 0) -> None:
        super().__init__()
        for name, number in (("a vector", features), ("a feature", units), ("the network's depth", layers)):
            require_features(name, number)
        self.features = features
        widths = [1, *[units] * layers, 1]
        self.layers = nn.ModuleList(_BlockLinear(features, *pair) for pair in pairwise(widths))
        self.context_features = context_features
        self.context_layer = nn.Linear(context_features, features * units, bias=False) if context_features else None

    @property
    def context_dims(self) -> int | None:
        """Dimensions of the context of one sample; ``None`` without one."""
        return 1 if self.context_features else None

    def prepare(self, context: Tensor | None) -> Tensor | None:
        """The first layer's part over the context ``batch x context_features``; ``None`` for no context."""
        require_context(context, self.context_features, 1, next(self.parameters()))
        return None if self.context_layer is None else self.context_layer(context)

    def forward(self, x: Tensor, prepared: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """The outputs, and the logarithm of each one's derivative with respect to its own feature.

        Args:
            x: ``batch x features``.
            prepared: what :meth:`prepare` returned.

        Returns:
            Two tensors ``batch x features``.
        """
        first, *rest = self._parts
        h, log_derivative = first(x, torch.zeros_like(x).unsqueeze(-1))
        if prepared is not None:
            h = h + prepared
        for layer in rest:
            # The slope of tanh is 4 sigmoid(2 h) sigmoid(-2 h), which is never rounded to 0.
            log_slope = math.log(4) + F.logsigmoid(2 * h) + F.logsigmoid(-2 * h)
            log_derivative = log_derivative + log_slope.unflatten(-1, (self.features, -1))
            h, log_derivative = layer(torch.tanh(h), log_derivative)
        return h, log_derivative.squeeze(-1)

    def largest(self) -> Tensor:
        """What no output goes beyond in absolute value, for any input; a number for each feature."""
        last = self._parts[-1]
        weight, _ = last.weights()
        return weight.abs().sum(-1) + at_least_float32(last.bias).abs()

    @property
    def _parts(self) -> "list[_BlockLinear]":
        return list(self.layers)  # type: ignore[arg-type]


class _BlockLinear(WithConstants):
    """A linear layer whose matrix is in blocks: positive on the diagonal, any below it, none above.

    Args:
        features: how many blocks, in rows and in columns.
        inputs: columns of a block.
        outputs: rows of a block.
    """

    below: Tensor
    diagonal: Tensor

    def __init__(self, features: int, inputs: int, outputs: int) -> None:
        super().__init__()
        self.shape = (features, outputs, features, inputs)
        # Before it is normalised: that of a block on the diagonal is a logarithm.
        self.weight = nn.Parameter(torch.randn(features * outputs, features * inputs))
        self.log_length = nn.Parameter(torch.zeros(features * outputs))
        self.bias = nn.Parameter(torch.zeros(features * outputs).uniform_(-1, 1))
        with torch.device("cpu"):
            rows, columns = (torch.arange(features).repeat_interleave(size) for size in (outputs, inputs))
        self.register_constant("diagonal", lambda: rows[:, None] == columns)
        self.register_constant("below", lambda: rows[:, None] > columns)

    def weights(self) -> tuple[Tensor, Tensor]:
        """The matrix, and the logarithm of its blocks on the diagonal, ``features x outputs x inputs``."""
        raw, log_length = at_least_float32(self.weight), at_least_float32(self.log_length).unsqueeze(-1)
        # Where it is not taken the exponential must not overflow, or its gradient would be nan.
        positive = torch.where(self.diagonal, raw, 0.0).exp()
        matrix = torch.where(self.diagonal, positive, torch.where(self.below, raw, 0.0))
        log_scale = log_length - torch.linalg.vector_norm(matrix, dim=-1, keepdim=True).log()
        log_blocks = (raw + log_scale).view(self.shape).diagonal(dim1=0, dim2=2).movedim(-1, 0)
        return matrix * log_scale.exp(), log_blocks

    def forward(self, h: Tensor, log_derivative: Tensor) -> tuple[Tensor, Tensor]:
        """The product, and the logarithms of the units' derivatives with respect to their own feature.

        Args:
            h: ``batch x (features * inputs)``.
            log_derivative: of these, ``batch x features x inputs``.

        Returns:
            ``batch x (features * outputs)`` and ``batch x features x outputs``.
        """
        matrix, log_blocks = self.weights()
        return (
            F.linear(h, matrix, at_least_float32(self.bias)),
            (log_blocks + log_derivative.unsqueeze(-2)).logsumexp(-1),
        )
