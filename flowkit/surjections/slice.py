"""Leaving entries out."""

from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import Shape
from flowkit.bijectors.channels import require_channels
from flowkit.distributions.distribution import Distribution
from flowkit.distributions.parts import require_distribution
from flowkit.ops.precision import at_least_float32
from flowkit.surjections.drawing import draw, log_prob_given
from flowkit.surjections.stochastic_map import StochasticMap

__all__ = ["Slice"]


class Slice(StochasticMap):
    r"""Keeps the first entries and leaves the rest out; generation draws these given what was kept.

    .. math:: z = x_{1..k}, \qquad V = \log p(x_{k+1..D} \mid z)

    Its likelihoods are exact. The distribution of the rest is any base distribution: one that takes a label, such as
    :class:`~flowkit.ConditionalNormal`, is given ``z`` for it.

    Args:
        features: ``D``, entries of the vector.
        kept: ``k``, at least 1 and less than ``features``.
        rest: the distribution of the vectors of ``features - kept`` entries that are left out.

    Raises:
        ValueError: ``kept`` is outside its range, or (when called) an input of another number of entries.

    References:
        Nielsen et al., "SurVAE flows", NeurIPS 2020, sec. 3.1 and appendix D (tensor slicing).

    Examples:
        >>> from flowkit import ConditionalNormal
        >>> layer = Slice(3, 2, ConditionalNormal(torch.nn.Linear(2, 2)))
        >>> z, contribution = layer(torch.rand(5, 3))
        >>> z.shape, layer.inverse(z)[0].shape
        (torch.Size([5, 2]), torch.Size([5, 3]))
    """

    def __init__(self, features: int, kept: int, rest: Distribution[Any]) -> None:
        super().__init__()
        if not 1 <= kept < features:
            raise ValueError(f"kept is {kept}; of {features} features, 1 to {features - 1} can be kept")
        require_distribution(rest, "Slice")
        self.features = features
        self.kept = kept
        self.rest = rest

    def output_shape(self, shape: Shape) -> Shape:
        """The entries that are kept; ValueError for another number of features."""
        require_channels(self, self.features, shape)
        return (self.kept,)

    def forward(
        self, x: Tensor, context: Any = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """What is kept, and the log-density of the rest given that."""
        self.output_shape(x.shape[-1:])
        z, rest = at_least_float32(x).split([self.kept, self.features - self.kept], -1)
        return z, log_prob_given(self.rest, rest, z)

    def inverse(
        self, z: Tensor, context: Any = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """What was kept with a rest that is drawn, and minus its log-density."""
        require_channels(self, self.kept, z.shape[-1:])
        z = at_least_float32(z)
        rest = draw(self.rest, self.features - self.kept, z, generator)
        return torch.cat([z, rest], -1), -log_prob_given(self.rest, rest, z)
