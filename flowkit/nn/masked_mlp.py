"""A multilayer perceptron whose outputs see the inputs that an adjacency matrix allows."""

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from flowkit.nn.context_linear import require_features
from flowkit.nn.masked_linear import MaskedLinear
from flowkit.nn.mlp import rectifier, zero_
from flowkit.nn.new_activation import new_activation
from flowkit.ops.values import require_values
from flowkit.recorded import Recorded

__all__ = ["MaskedMLP", "adjacency_in_passes"]

Rows = Sequence[Sequence[bool]] | Tensor


class MaskedMLP(Recorded, nn.Module):
    r"""A network for autoregression over a graph: the parameters of a feature depend on its parents alone.

    .. math:: \frac{\partial \theta_i}{\partial x_j} = 0 \quad \text{unless} \quad A_{ij} = 1,\ i \ne j

    Each hidden unit stands for one feature and sees that feature's parents; of the units in the layer before, it sees
    those that see no more than it does. For :class:`~flowkit.MaskedAutoregressive`, which then inverts it in
    ``passes`` passes, as many as the longest path of the graph has features, instead of one for each feature. The
    last layer starts at zero.

    Args:
        adjacency: :math:`A`, ``features x features``, true where the feature of the row depends on that of the column,
            the diagonal counting for nothing; or ``features x (features + context_features)``, which says of the
            context as well what depends on it. Booleans, as a tensor or as rows.
        parameters_per_feature: outputs for each feature, at least 1.
        hidden: widths of the hidden layers, better not less than ``features``.
        context_features: entries of the context; 0 for none.
        activation: makes the activation after a hidden layer, called without arguments; ReLU, in place, by default.

    Attributes:
        passes: after how many passes all features are known, starting from any.

    Raises:
        ValueError: the matrix has another shape, or the graph a cycle; a width is under 1; a context is missing, or
            given where none was announced.

    References:
        Germain et al., *MADE: masked autoencoder for distribution estimation*, ICML 2015 (masks).
        A. Wehenkel, G. Louppe, *Graphical normalizing flows*, AISTATS 2021, sec. 3 (graphs).

    Examples:
        >>> chain = [[False, False, False], [True, False, False], [False, True, False]]
        >>> network = MaskedMLP(chain, parameters_per_feature=1, hidden=(16,), activation=nn.Tanh)
        >>> with torch.no_grad():
        ...     _ = network.layers[-1].weight.normal_()
        >>> (torch.func.jacrev(network)(torch.rand(3)) != 0).int()
        tensor([[0, 0, 0],
                [1, 0, 0],
                [0, 1, 0]], dtype=torch.int32)
        >>> network.passes
        3
    """

    def __init__(
        self,
        adjacency: Rows,
        parameters_per_feature: int,
        hidden: Sequence[int] = (64, 64),
        context_features: int = 0,
        activation: Callable[[], nn.Module] = rectifier,
    ) -> None:
        super().__init__()
        for width in (parameters_per_feature, *hidden):
            require_features("a layer", width)
        parents = _parents(adjacency, context_features)
        features = len(parents)
        self.features = features
        self.parameters_per_feature = parameters_per_feature
        self.passes = _longest_path(parents[:, :features])
        first, *rest = _masks(parents, hidden, parameters_per_feature)
        of_context = first[:, features:] if context_features else None
        self.layers = nn.ModuleList([MaskedLinear(first[:, :features], context_features, of_context)])
        self.layers.extend(MaskedLinear(mask) for mask in rest)
        self.activations = nn.ModuleList(new_activation(activation) for _ in hidden)
        zero_(self.last)

    @property
    def last(self) -> MaskedLinear:
        """The last layer."""
        last = self.layers[-1]
        assert isinstance(last, MaskedLinear)
        return last

    def prepare(self, context: Tensor | None) -> Tensor | None:
        """The first layer's part over the context ``batch x context_features``; ``None`` for no context."""
        first = self.layers[0]
        assert isinstance(first, MaskedLinear)
        return first.prepare(context)

    def forward(self, x: Tensor, prepared: Tensor | None = None) -> Tensor:
        """Parameters of all features ``batch x (features * parameters_per_feature)``, from ``batch x features``."""
        first, *rest = self.layers
        h = first(x, prepared)
        for activation, layer in zip(self.activations, rest, strict=True):
            h = layer(activation(h))
        return h


def adjacency_in_passes(features: int, passes: int, order: Sequence[int] | None = None) -> Tensor:
    r"""The adjacency matrix of features in ``passes`` groups, each depending on all features of the groups before it.

    As many passes as features are full autoregression, two are a coupling: :math:`A_{ij} = [g_i > g_j]` with the group
    :math:`g_i = \lfloor r_i / \lceil D / P \rceil \rfloor` of the feature of rank :math:`r_i`.

    Args:
        features: :math:`D`, how many, at least 1.
        passes: :math:`P`, how many groups, at least 1; as many as there are features at most.
        order: the features, 0 to ``features - 1``, in the order in which they depend on each other; ``None`` for the
            order in which they are stored.

    Returns:
        Booleans ``features x features``.

    Raises:
        ValueError: a number is under 1, or ``order`` is no permutation.

    References:
        F. Rozet et al., "Zuko: normalizing flows in PyTorch", 2022 (its ``passes``).

    Examples:
        >>> adjacency_in_passes(4, passes=2).int()
        tensor([[0, 0, 0, 0],
                [0, 0, 0, 0],
                [1, 1, 0, 0],
                [1, 1, 0, 0]], dtype=torch.int32)
    """
    if features < 1 or passes < 1:
        raise ValueError(f"features is {features} and passes {passes}; both must be at least 1")
    order = range(features) if order is None else order
    if sorted(order) != list(range(features)):
        raise ValueError(f"order is {list(order)}; it must name each of the features 0 to {features - 1} once")
    size = -(-features // min(passes, features))
    group = torch.tensor(list(order), device="cpu").argsort() // size
    return group[:, None] > group


def _parents(adjacency: Rows, context_features: int) -> Tensor:
    """The matrix as booleans on the CPU, its diagonal false, with columns for the context."""
    matrix = adjacency if isinstance(adjacency, Tensor) else torch.tensor(adjacency, device="cpu")
    require_values("an adjacency matrix", matrix)
    features = len(matrix)
    allowed = {(features, features), (features, features + context_features)}
    if tuple(matrix.shape) not in allowed or not features:
        raise ValueError(
            f"adjacency has the shape {tuple(matrix.shape)}; it must be features x features, or features x "
            f"(features + {context_features}) to say what depends on the context"
        )
    matrix = matrix.detach().cpu().bool()
    own = matrix[:, :features] & ~torch.eye(features, dtype=torch.bool, device="cpu")
    context = matrix[:, features:]
    if not context.shape[1]:
        context = torch.ones(features, context_features, dtype=torch.bool, device="cpu")
    return torch.cat([own, context], 1)


def _longest_path(parents: Tensor) -> int:
    """How many features the longest path has: each pass finds those whose parents are known."""
    known = torch.zeros(len(parents), dtype=torch.bool, device="cpu")
    passes = 0
    while not known.all():
        found = ~known & ~(parents & ~known).any(1)
        if not found.any():
            left = (~known).nonzero().flatten().tolist()
            raise ValueError(f"the graph of adjacency has a cycle among the features {left}: leave an edge of it out")
        known |= found
        passes += 1
    return passes


def _masks(parents: Tensor, hidden: Sequence[int], parameters_per_feature: int) -> list[Tensor]:
    """Which units each unit sees, layer by layer, the outputs' last."""
    kinds = parents.unique(dim=0)
    # Units that see nothing would be second biases.
    if kinds.any():
        kinds = kinds[kinds.any(1)]
    seen = [kinds[torch.arange(width, device="cpu") * len(kinds) // width] for width in hidden]
    outputs = parents.repeat_interleave(parameters_per_feature, 0)
    if not seen:
        return [outputs]
    layers = [*seen, outputs]
    # A unit may see another one if that sees nothing that it must not.
    inner = [~(before & ~after[:, None]).any(-1) for before, after in pairwise(layers)]
    return [layers[0], *inner]
