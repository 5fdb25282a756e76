"""Moebius transformations of spheres."""

from typing import Any

import torch
from torch import Tensor, nn

from flowkit.bijectors.channels import ChannelBijector
from flowkit.nn.context_parameters import ContextParameters
from flowkit.supports.sphere import SphereSupport

__all__ = ["Moebius"]

# The longest centre: nearer to the sphere, the map sends nearly all of it to one point.
LONGEST = 0.99


class Moebius(ChannelBijector):
    r"""A Moebius transformation of a sphere onto itself: it draws the points towards one place, or away from it.

    .. math:: z = \frac{1 - \lVert \omega \rVert^2}{\lVert x - \omega \rVert^2} (x - \omega) - \omega, \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right|
              = d \log \frac{1 - \lVert \omega \rVert^2}{\lVert x - \omega \rVert^2}

    with respect to the area of :math:`S^d`, for a centre :math:`\lVert \omega \rVert < 1`. The inverse is the same with
    :math:`-\omega`. It starts as the identity, :math:`\omega = 0`. Several after another are one such map and a
    rotation: take it as one layer among others, or conditioned on others. Data are ``batch x features``.

    Args:
        features: entries of the vectors, :math:`d + 1`, at least 2: 2 for a circle.
        conditioner: a module from the context to ``features`` numbers, added to the layer's own; ``None`` for a layer
            without context. They are bent into a ball, :math:`\omega = 0.99\, r / \sqrt{1 + \lVert r \rVert^2}`.

    Raises:
        ValueError: ``features`` is under 2, or (when called) a vector has another length than 1 or other entries.

    References:
        D. J. Rezende et al., "Normalizing Flows on Tori and Spheres", ICML 2020, sec. 2.1.1 (there on circles).
        S. Kato, P. McCullagh, "Moebius transformation and a Cauchy family on the sphere", 2015 (on spheres).

    Examples:
        >>> layer = Moebius(3)
        >>> x = torch.tensor([[0.0, 0.6, 0.8]])
        >>> z, log_det = layer(x)
        >>> torch.allclose(z, x), bool(log_det.abs().max() < 1e-6)
        (True, True)
    """

    def __init__(self, features: int, conditioner: nn.Module | None = None) -> None:
        super().__init__(features, event_dims=1)
        if features < 2:
            raise ValueError(f"features is {features}; vectors on a circle have 2, on a sphere 3")
        self.source = ContextParameters(torch.zeros(features), conditioner)

    def data_support(self) -> SphereSupport:
        """The sphere."""
        return SphereSupport()

    def latent_support(self) -> SphereSupport:
        """The sphere."""
        return SphereSupport()

    def prepare(self, context: Any) -> Tensor:
        """The centre, ``batch x features``."""
        raw = self.source(context)
        return LONGEST * raw / (1 + raw.square().sum(-1, keepdim=True)).sqrt()

    def _forward(self, x: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        return self._about(x, prepared)

    def _inverse(self, z: Tensor, prepared: Tensor) -> tuple[Tensor, Tensor]:
        return self._about(z, -prepared)

    def _about(self, x: Tensor, centre: Tensor) -> tuple[Tensor, Tensor]:
        x = x.to(torch.promote_types(x.dtype, centre.dtype))
        offset = x - centre
        room = 1 - centre.square().sum(-1, keepdim=True)
        factor = room / offset.square().sum(-1, keepdim=True)
        # In float32 a point beside a centre near the sphere would come to lie off it.
        moved = torch.nn.functional.normalize(factor * offset - centre, dim=-1)
        return moved, (self.channels - 1) * factor.log().squeeze(-1)
