"""The absolute value."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.bijector import Shape, sum_event
from flowkit.bijectors.channels import require_channels
from flowkit.counts import require_counts
from flowkit.half_precision import cast_for
from flowkit.ops.precision import at_least_float32
from flowkit.surjections.stochastic_map import StochasticMap

__all__ = ["AbsoluteValue"]


class AbsoluteValue(StochasticMap):
    r"""The absolute value of each entry: :math:`z = |x|`; generation draws the signs.

    .. math:: V = \sum_i \log p(s_i \mid z), \qquad s_i = \operatorname{sign}(x_i)

    Its likelihoods are exact where what follows takes positive numbers and no others: a bijector of them, such as
    ``Elementwise(Log())``, or a base such as a half-normal distribution. Without a network both signs are equally
    likely, so that the flow is symmetric in every entry by construction.

    Args:
        features: entries of the vector, at least 1.
        network: from ``z`` to the log-odds of positive signs, ``batch x features``; ``None`` for equal odds.

    Raises:
        ValueError: (when called) an input of another number of entries.

    References:
        Nielsen et al., "SurVAE flows", NeurIPS 2020, sec. 3.1 and appendix D (the inference surjection).

    Examples:
        >>> layer = AbsoluteValue(3)
        >>> x, contribution = layer.inverse(torch.ones(5, 3))
        >>> x.abs().mean(), contribution[0]
        (tensor(1.), tensor(2.0794))
    """

    def __init__(self, features: int, network: nn.Module | None = None) -> None:
        super().__init__()
        require_counts(1, features=features)
        self.features = features
        self.network = network

    latent_interval = (0.0, math.inf)

    def output_shape(self, shape: Shape) -> Shape:
        """The same shape; ValueError for another number of features."""
        require_channels(self, self.features, shape)
        return shape

    def forward(
        self, x: Tensor, context: Any = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """The absolute values, and the log-probability of the signs."""
        self.output_shape(x.shape[-1:])
        x = at_least_float32(x)
        z = x.abs()
        return z, self._log_prob(z, torch.where(x < 0, -1.0, 1.0))

    def inverse(
        self, z: Tensor, context: Any = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """The values with signs that are drawn, and minus their log-probability."""
        self.output_shape(z.shape[-1:])
        z = at_least_float32(z)
        chance = torch.full_like(z, 0.5) if self.network is None else torch.sigmoid(self._log_odds(z))
        drawn = torch.rand(z.shape, dtype=z.dtype, device=z.device, generator=generator)
        sign = torch.where(drawn < chance, 1.0, -1.0)
        return sign * z, -self._log_prob(z, sign)

    def _log_prob(self, z: Tensor, sign: Tensor) -> Tensor:
        if self.network is None:
            return sum_event(torch.full_like(z, -math.log(2)), 1)
        return sum_event(F.logsigmoid(sign * self._log_odds(z)), 1)

    def _log_odds(self, z: Tensor) -> Tensor:
        assert self.network is not None
        return at_least_float32(self.network(cast_for(self.network, z)))
