"""What surjections and stochastic layers share."""

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijector import REAL_LINE, Interval, Shape
from flowkit.recorded import Recorded
from flowkit.supports.interval import covers

__all__ = ["StochasticMap"]


class StochasticMap(Recorded, nn.Module, ABC):
    r"""A map from data to latents and back, either way of which may be random, with its contribution to the likelihood.

    What the log-determinant is for a :class:`~flowkit.Bijector`, the contribution is here:

    .. math:: V(x, z) = \log \frac{p(x \mid z)}{q(z \mid x)}, \qquad \log p(x) \ge \mathbb{E}_{q(z|x)}\left[
              \log p(z) + V(x, z) \right]

    ``forward`` draws ``z`` from :math:`q(z|x)` and gives ``V``; ``inverse`` draws ``x`` from :math:`p(x|z)` and gives
    :math:`-V`. Where ``z`` is a function of ``x``, the bound is the likelihood itself.

    Attributes:
        event_dims: trailing dimensions of one event.
        is_exact: whether ``z`` is a function of ``x``, so that likelihoods are exact.
        latent_interval: the ends between which every entry of ``z`` lies, for all real data; what follows must take no
            other values.

    References:
        Nielsen, Jaini, Hoogeboom, Winther and Welling, "SurVAE flows: surjections to bridge the gap between VAEs and
        flows", NeurIPS 2020, sec. 2 and table 1.

    Examples:
        >>> from flowkit.surjections import AbsoluteValue
        >>> z, contribution = AbsoluteValue(2)(torch.tensor([[-1.0, 2.0]]))
        >>> z, contribution
        (tensor([[1., 2.]]), tensor([-1.3863]))
    """

    event_dims: int = 1
    is_exact: bool = True
    latent_interval: Interval = REAL_LINE

    @abstractmethod
    def forward(
        self, x: Tensor, context: Any = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Normalise: data to latent.

        Args:
            x: the data, ``batch x event``.
            context: what the map depends on besides ``x``, if it does.
            generator: source of randomness; ``None`` for PyTorch's global one.

        Returns:
            The latent and ``V``, one number per sample.
        """

    @abstractmethod
    def inverse(
        self, z: Tensor, context: Any = None, generator: torch.Generator | None = None
    ) -> tuple[Tensor, Tensor]:
        """Generate: latent to data, and ``-V``. Arguments as for ``forward``."""

    def image_of(self, interval: Interval) -> Interval | None:
        """The interval that the entries of ``z`` fill, as of :meth:`flowkit.Bijector.image_of`: for real data alone."""
        return self.latent_interval if covers(interval, REAL_LINE) else None

    def output_shape(self, shape: Shape) -> Shape:
        """Event shape of ``forward``'s result for an input of event shape ``shape``; ValueError if not accepted."""
        return shape
