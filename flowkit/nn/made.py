"""The masked autoencoder: a network whose outputs for a feature see the features before it alone."""

from collections.abc import Callable, Sequence
from itertools import accumulate, pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.constants import WithConstants
from flowkit.hooks import why_called
from flowkit.nn.context_linear import require_features
from flowkit.nn.masked_linear import MaskedLinear
from flowkit.nn.mlp import rectifier, zero_
from flowkit.nn.new_activation import new_activation
from flowkit.ops.precision import at_least_float32
from flowkit.recorded import Recorded

__all__ = ["MADE"]


class MADE(Recorded, WithConstants):
    r"""A multilayer perceptron with masked weights: the parameters of a feature depend on those before it alone.

    Each hidden unit has a degree :math:`m`: it sees the first :math:`m` features of the order. With the degree of
    the feature of rank :math:`r` (counted from 0) being :math:`r + 1` as an input and :math:`r` as an output,

    .. math:: h_l = \sigma((W_l \odot M_l) h_{l-1} + b_l), \qquad M_l[i, j] = 1 \text{ iff } m_l(i) \ge m_{l-1}(j).

    The degrees are spread evenly and ascend within a layer. The context reaches every unit, the first layer's part
    over it computed once per context by :meth:`prepare`; where there is a context, some units see nothing else, so
    that the first feature depends on it too. The last layer starts at zero.

    Args:
        features: how many, at least 1. With 1 the output depends on the context and the biases alone.
        parameters_per_feature: outputs for each feature, at least 1.
        hidden: widths of the hidden layers, better not less than ``features``: narrower layers lack some degrees.
        context_features: entries of the context; 0 for none.
        activation: makes the activation after a hidden layer, called without arguments; it works elementwise. By
            default ReLU, in place.
        order: the features, 0 to ``features - 1``, in the order in which they depend on each other: the first on
            none, the last on all others. ``None`` for the order in which they are stored.

    Raises:
        ValueError: a width is less than 1; ``order`` is no permutation; a context is missing, or given where none was
            announced, or of another width.

    References:
        Germain et al., *MADE: masked autoencoder for distribution estimation*, ICML 2015, sec. 4.1 and 4.2; the
        context as in Papamakarios et al., *Masked autoregressive flow*, NeurIPS 2017, sec. 3.4.

    Examples:
        >>> network = MADE(3, parameters_per_feature=2, hidden=(16,), activation=nn.Tanh)
        >>> with torch.no_grad():
        ...     _ = network.layers[-1].weight.normal_()
        >>> jacobian = torch.func.jacrev(network)(torch.rand(3))
        >>> (jacobian != 0).int()
        tensor([[0, 0, 0],
                [0, 0, 0],
                [1, 0, 0],
                [1, 0, 0],
                [1, 1, 0],
                [1, 1, 0]], dtype=torch.int32)
    """

    input_index: Tensor
    output_index: Tensor

    def __init__(
        self,
        features: int,
        parameters_per_feature: int,
        hidden: Sequence[int] = (64, 64),
        context_features: int = 0,
        activation: Callable[[], nn.Module] = rectifier,
        order: Sequence[int] | None = None,
    ) -> None:
        super().__init__()
        require_features("a MADE", features)
        order = tuple(range(features)) if order is None else tuple(order)
        if sorted(order) != list(range(features)):
            raise ValueError(f"order is {order}; it must name each of the features 0 to {features - 1} once")
        for width in (parameters_per_feature, *hidden):
            require_features("a layer", width)
        self.features = features
        self.parameters_per_feature = parameters_per_feature
        self.order = order

        # A unit of degree 0 sees the context alone: without one, it would only be a second bias.
        lowest = 0 if context_features or features == 1 else 1
        with torch.device("cpu"):
            ranks = torch.tensor(order).argsort()
            degrees = [
                ranks + 1,
                *(lowest + torch.arange(width) * (features - lowest) // width for width in hidden),
                ranks.repeat_interleave(parameters_per_feature),
            ]
        self.layers = nn.ModuleList(
            MaskedLinear(after[:, None] >= before, 0 if i else context_features)
            for i, (before, after) in enumerate(pairwise(degrees))
        )
        self.activations = nn.ModuleList(new_activation(activation) for _ in hidden)
        zero_(self.last)
        # For `unroll`: how many units of each degree, layer by layer from the inputs to the outputs, and where the
        # features' rows and columns are, in order.
        self._counts = [torch.bincount(layer, minlength=features + 1).tolist() for layer in degrees]
        count = parameters_per_feature
        self.register_constant("input_index", lambda: torch.tensor(order))
        self.register_constant(
            "output_index", lambda: (torch.tensor(order).unsqueeze(-1) * count + torch.arange(count)).flatten()
        )

    @property
    def last(self) -> MaskedLinear:
        """The last layer."""
        last = self.layers[-1]
        assert isinstance(last, MaskedLinear)
        return last

    def prepare(self, context: Tensor | None) -> Tensor | None:
        """The first layer's part over the context ``batch x context_features``; ``None`` for no context."""
        return self._parts[0].prepare(context)

    def forward(self, x: Tensor, prepared: Tensor | None = None) -> Tensor:
        """Parameters of all features, each from those before it: one pass.

        Args:
            x: ``batch x features``, any batch shape.
            prepared: what :meth:`prepare` returned.

        Returns:
            ``batch x (features * parameters_per_feature)``; parameter ``p`` of feature ``c`` is at
            ``c * parameters_per_feature + p``.
        """
        first, *rest = self._parts
        h = first(x, prepared)
        for activation, layer in zip(self.activations, rest, strict=True):
            h = layer(activation(h))
        return h

    def unroll(self, solve: Callable[[int, Tensor], Tensor], prepared: Tensor | None = None) -> bool:
        """Run the network feature by feature, each feature's value found from its parameters: about one pass in all.

        A hidden unit is computed as soon as the features that it sees are known, once, and added to what depends on
        it: ``features`` calls of :meth:`forward` would compute everything anew each time.

        Args:
            solve: from a feature's index and its parameters (``batch x parameters_per_feature``, or of fewer batch
                dimensions as long as they do not depend on the data) to its value, of the batch shape.
            prepared: what :meth:`prepare` returned.

        Returns:
            Whether it was done; false, before anything is solved, where a layer has hooks or is not the one that was
            made here, so that it has to be called.
        """
        if why_called([(layer, MaskedLinear) for layer in self._parts]) is not None:
            return False
        columns, sums = self._in_order(prepared)
        known = sums[0][..., :0]
        for degree, feature in enumerate(self.order):
            for i, weights in enumerate(columns):
                if self._counts[i][degree]:
                    sums[i] = sums[i] + F.linear(known, weights[degree])
                count = self._counts[i + 1][degree]
                known, sums[i] = sums[i].split((count, sums[i].shape[-1] - count), -1)
                if i < len(self.activations):
                    # A copy: it may work in place, and this may be a part of a bias.
                    known = self.activations[i](known.clone())
            known = solve(feature, known).unsqueeze(-1)
        return True

    def _in_order(self, prepared: Tensor | None) -> tuple[list[list[Tensor]], list[Tensor]]:
        """Each layer's weights from the units of a degree to those of that degree or more; and what is added to them.

        Where units ascend in degree, what the masks leave is such blocks. The features do not, so that their rows
        and columns are put in order.
        """
        weights = [at_least_float32(layer.data_weight) for layer in self._parts]
        biases = [at_least_float32(layer.bias) for layer in self._parts]
        if prepared is not None:
            biases[0] = biases[0] + prepared
        weights[0] = weights[0].index_select(1, self.input_index)
        weights[-1] = weights[-1].index_select(0, self.output_index)
        biases[-1] = biases[-1].index_select(-1, self.output_index)
        columns = []
        for weight, before, after in zip(weights, self._counts[:-1], self._counts[1:], strict=True):
            starts = list(accumulate(after, initial=0))
            blocks = weight.split(before, 1)
            columns.append([block[start:] for block, start in zip(blocks, starts[: len(blocks)], strict=True)])
        return columns, biases

    @property
    def _parts(self) -> list[MaskedLinear]:
        return list(self.layers)  # type: ignore[arg-type]
