"""Exponential-map flows on spheres."""

import math
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.bijectors.channels import ChannelBijector
from flowkit.bijectors.supports.radial_potential import RadialPotential, dot, without_radial
from flowkit.nn.context_parameters import ContextParameters
from flowkit.ops.precision import without_autocast
from flowkit.supports.sphere import SphereSupport

__all__ = ["ExponentialMap"]

# What all weights together stay below: at 1, the sphere near a centre would be sent to a point.
LARGEST_TOTAL = 0.99
# Where they start, near the identity; and the concentration of the first bumps, which are 1 / sqrt(2) radians wide.
FIRST_TOTAL = 0.1
FIRST_CONCENTRATION = 2.0

# Newton's step and so many less one halvings of it: slopes lie between 1 - 0.99 and 2, so that a step which is
# shortened 200 times cannot go too far.
TRIALS = 9
# The most that was needed, on spheres of 1 to 4 dimensions with 1 to 10 components of concentrations up to 1000, is 8.
STEPS = 10


class ExponentialMap(ChannelBijector):
    r"""An exponential-map flow on a sphere: each point moves along the gradient of a sum of radial bumps.

    .. math:: z = \exp_x(\nabla \phi(x)) = \cos \lVert v \rVert\, x + \frac{\sin \lVert v \rVert}{\lVert v \rVert}\, v,
              \qquad v = (I - x x^\top) \sum_k \alpha_k e^{\beta_k (\mu_k^\top x - 1)} \mu_k

    with weights :math:`\alpha_k > 0`, :math:`\sum_k \alpha_k < 1`, concentrations :math:`\beta_k > 0` and unit vectors
    :math:`\mu_k`. For such weights the potential :math:`\phi` is c-convex, so that the map is invertible whatever the
    other parameters are. The log-determinant, with respect to the area of :math:`S^d`, is that of the
    :math:`(d + 1) \times (d + 1)` matrix which takes tangent vectors at :math:`x` as the map's derivative does, and
    :math:`x` to :math:`z`; it is computed from a formula.

    The inverse has none. It is found in ten steps of Newton's method on the sphere, each sample taking the one among
    the full step and its halves down to 1/256 that leaves the least distance; in float64 what is left is below 1e-12,
    in float32 below 1e-4. Its gradients are the root's (the implicit function theorem), up to third derivatives.

    Points move towards the centres :math:`\mu_k`. So data that this layer normalises are thinned out there, and data
    that ``Inverse(ExponentialMap(...))`` generates, as in the paper, gather there. It starts near the identity, all
    weights together 0.1, with random centres. Data are ``batch x features``.

    Args:
        features: entries of the vectors, :math:`d + 1`, at least 2: 2 for a circle.
        components: how many bumps, at least 1.
        conditioner: a module from the context to ``components * (features + 2)`` numbers, added to the layer's own: of
            each component its centre (of any length), raw concentration and logit of its weight; ``None`` for a layer
            without context.

    Raises:
        ValueError: ``features`` is under 2 or ``components`` under 1, or (when called) a vector has another length than
            1 or other entries, or there is no context where there is a conditioner.

    References:
        D. J. Rezende et al., "Normalizing Flows on Tori and Spheres", ICML 2020, sec. 2.3 (the exponential-map
        sum-of-radial flow).
        T. Sei, "A Jacobian inequality for gradient maps on the sphere and its application to directional statistics",
        Communications in Statistics 2013 (why it is invertible).

    Examples:
        >>> layer = ExponentialMap(3, components=4)
        >>> x = torch.tensor([[0.0, 0.6, 0.8]])
        >>> z, log_det = layer(x)
        >>> torch.allclose(layer.inverse(z)[0], x, atol=1e-5), log_det.shape
        (True, torch.Size([1]))
    """

    def __init__(self, features: int, components: int = 8, conditioner: nn.Module | None = None) -> None:
        super().__init__(features, event_dims=1)
        if features < 2:
            raise ValueError(f"features is {features}; vectors on a circle have 2, on a sphere 3")
        if components < 1:
            raise ValueError(f"components is {components}; at least 1 is needed to move anything")
        self.components = components
        share = FIRST_TOTAL / LARGEST_TOTAL
        concentration = torch.full((components, 1), math.log(math.expm1(FIRST_CONCENTRATION)))
        logit = torch.full((components, 1), math.log(share / (1 - share) / components))
        start = torch.cat([torch.randn(components, features), concentration, logit], -1)
        self.source = ContextParameters(start.flatten(), conditioner)

    def data_support(self) -> SphereSupport:
        """The sphere."""
        return SphereSupport()

    def latent_support(self) -> SphereSupport:
        """The sphere."""
        return SphereSupport()

    def prepare(self, context: Any) -> RadialPotential:
        """The bumps, their parameters ``batch x components``."""
        raw = self.source(context).unflatten(-1, (self.components, self.channels + 2))
        centre, concentration, logit = raw.split((self.channels, 1, 1), -1)
        # A share that moves nothing stands beside those of the components.
        shares = torch.softmax(F.pad(logit.squeeze(-1), (0, 1)), -1)[..., :-1]
        return RadialPotential(
            F.normalize(centre, dim=-1), F.softplus(concentration.squeeze(-1)), LARGEST_TOTAL * shares
        )

    def _forward(self, x: Tensor, prepared: RadialPotential) -> tuple[Tensor, Tensor]:
        x = x.to(torch.promote_types(x.dtype, prepared.centres.dtype))
        with without_autocast(x.device):
            z, derivative = prepared.moved_and_derivative(x)
            return F.normalize(z, dim=-1), torch.linalg.slogdet(derivative).logabsdet

    def _inverse(self, z: Tensor, prepared: RadialPotential) -> tuple[Tensor, Tensor]:
        z = F.normalize(z.to(torch.promote_types(z.dtype, prepared.centres.dtype)), dim=-1)
        with without_autocast(z.device):
            with torch.no_grad():
                x = _root(z, prepared)
            if torch.is_grad_enabled():
                x = _with_derivatives(x, z, prepared)
            return x, -torch.linalg.slogdet(prepared.moved_and_derivative(x)[1]).logabsdet


def _root(z: Tensor, potential: RadialPotential) -> Tensor:
    """The points that are moved to ``z``."""
    x = z
    for _ in range(STEPS):
        value, derivative = potential.moved_and_derivative(x)
        step = _solve(derivative, _towards(value, z))
        trials = F.normalize(torch.stack([x + step / 2**halvings for halvings in range(TRIALS)]), dim=-1)
        left = torch.linalg.vector_norm(potential.moved(trials) - z, dim=-1, keepdim=True)
        x = torch.take_along_dim(trials, left.argmin(0, keepdim=True), dim=0).squeeze(0)
    return x


def _with_derivatives(x: Tensor, z: Tensor, potential: RadialPotential) -> Tensor:
    """A root that counts as constant, with its derivatives: a step of Newton's has the first, two those up to third."""
    for _ in range(2):
        value, derivative = potential.moved_and_derivative(x)
        excess = value - z
        x = F.normalize(x - _solve(derivative, excess - excess.detach()), dim=-1)
    return x


def _towards(point: Tensor, target: Tensor) -> Tensor:
    """The tangent vector at a point that leads to another one, of the length of the way."""
    across = without_radial(point, target)
    sine = torch.linalg.vector_norm(across, dim=-1, keepdim=True)
    return across * torch.atan2(sine, dot(point, target)) / sine.clamp_min(torch.finfo(sine.dtype).tiny)


def _solve(matrix: Tensor, vector: Tensor) -> Tensor:
    return torch.linalg.solve(matrix, vector.unsqueeze(-1)).squeeze(-1)
