"""Augmentation with noise."""

from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import Shape
from flowkit.bijectors.channels import require_channels
from flowkit.counts import require_counts
from flowkit.distributions.distribution import Distribution
from flowkit.distributions.parts import require_distribution
from flowkit.ops.precision import at_least_float32
from flowkit.surjections.drawing import draw, log_prob_given
from flowkit.surjections.stochastic_map import StochasticMap

__all__ = ["Augment"]


class Augment(StochasticMap):
    r"""Adds entries of noise to the data, which gives the layers after it more room; generation drops them.

    .. math:: z = (x, e), \quad e \sim q(e \mid x), \qquad V = -\log q(e \mid x)

    The likelihood has a lower bound, :math:`\log p(x) \ge \mathbb{E}_q[\log p(x, e) - \log q(e | x)]`: a flow over
    ``features + extra`` entries is trained on it, an augmented flow. The distribution of the noise is any base
    distribution: one that takes a label, such as :class:`~flowkit.ConditionalNormal`, is given ``x`` for it.

    Args:
        features: entries of the data.
        extra: entries that are added, at least 1.
        noise: ``q``, the distribution of vectors of ``extra`` entries; gradients reach it if it is reparametrised.

    Raises:
        ValueError: ``extra`` is under 1, or (when called) an input of another number of entries.

    References:
        Huang, Dinh and Courville, "Augmented normalizing flows", 2020, sec. 3.
        Chen, Lu, Chenli, Zhu and Tian, "VFlow: more expressive generative flows with variational data augmentation",
        ICML 2020, eq. 5.

    Examples:
        >>> from flowkit import StandardNormal
        >>> layer = Augment(2, 3, StandardNormal(event_dims=1))
        >>> z, contribution = layer(torch.rand(5, 2))
        >>> z.shape, layer.inverse(z)[0].shape
        (torch.Size([5, 5]), torch.Size([5, 2]))
    """

    is_exact = False

    def __init__(self, features: int, extra: int, noise: Distribution[Any]) -> None:
        super().__init__()
        require_counts(1, features=features, extra=extra)
        require_distribution(noise, "Augment")
        self.features = features
        self.extra = extra
        self.noise = noise

    def output_shape(self, shape: Shape) -> Shape:
        """All entries; ValueError for another number of features."""
        require_channels(self, self.features, shape)
        return (self.features + self.extra,)

    def forward(
        self, x: Tensor, context: Any = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """The data with noise that is drawn, and minus its log-density."""
        self.output_shape(x.shape[-1:])
        x = at_least_float32(x)
        noise = draw(self.noise, self.extra, x, generator)
        return torch.cat([x, noise], -1), -log_prob_given(self.noise, noise, x)

    def inverse(
        self, z: Tensor, context: Any = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """The data alone, and the log-density of the noise given it."""
        require_channels(self, self.features + self.extra, z.shape[-1:])
        x, noise = at_least_float32(z).split([self.features, self.extra], -1)
        return x, log_prob_given(self.noise, noise, x)
