"""Neural spline flows on spheres."""

from collections.abc import Sequence
from typing import Any

from flowkit.bijector import Bijector
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.coupling import Coupling
from flowkit.bijectors.inverse import Inverse
from flowkit.bijectors.orthogonal import Orthogonal
from flowkit.bijectors.supports.sphere_to_cylinder import SphereToCylinder
from flowkit.counts import require_counts, require_widths
from flowkit.distributions.uniform_sphere import UniformSphere
from flowkit.flow import Flow
from flowkit.models.recipe import remembered
from flowkit.nn.angle_mlp import AngleMLP
from flowkit.nn.mlp import MLP
from flowkit.transforms.bounded_spline import BoundedSpline
from flowkit.transforms.circular_spline import CircularSpline

__all__ = ["spherical_nsf"]


@remembered("spherical_nsf")
def spherical_nsf(
    features: int = 3,
    layers: int = 4,
    hidden: Sequence[int] = (64, 64),
    bins: int = 8,
    context_features: int = 0,
    max_ratio: float | None = 1000.0,
) -> Flow:
    r"""A neural spline flow on a sphere: unit vectors, seen layer by layer as an angle and heights.

    .. math:: (\theta, r) = T(x), \qquad r_k' = S(r_k;\, \alpha_k(\theta, c)), \qquad
              \theta' = S(\theta;\, \beta(r', c)) + \varphi(r', c), \qquad z = R\, T^{-1}(\theta', r')

    with the recursion :math:`T` of :class:`~flowkit.bijectors.SphereToCylinder`, splines :math:`S` of the interval and
    of the circle onto themselves, and a learned rotation :math:`R` between layers, so that none of them has its poles
    where another one has. At a layer's two poles themselves its density may jump. It starts as the uniform
    distribution.

    Args:
        features: entries of the unit vectors, >= 3: 3 for the ordinary sphere; for a circle, take
            :func:`~flowkit.ncsf`.
        layers: how many layers, >= 1.
        hidden: widths of the hidden layers of each layer's two networks.
        bins: pieces of a spline, >= 2.
        context_features: entries of the context; 0 for an unconditional flow.
        max_ratio: how many times as wide, or as high, as another a bin may become, > 1; ``None`` for no such bound.

    Returns:
        A flow over unit vectors ``batch x features``, its base uniform, with densities for the sphere's area.

    Raises:
        ValueError: a size is too small.
        TypeError: a size is no integer.

    References:
        D. J. Rezende et al., "Normalizing Flows on Tori and Spheres", ICML 2020, sec. 2.3.1.

    Examples:
        >>> import math, torch
        >>> flow = spherical_nsf(3, layers=2)
        >>> abs(flow.log_prob(torch.tensor([[0.6, 0.0, 0.8]])).item() + math.log(4 * math.pi)) < 1e-5
        True
    """
    require_widths(hidden)
    require_counts(0, context_features=context_features)
    require_counts(3, features=features)
    require_counts(1, layers=layers)
    parts: list[Bijector[Any, Any]] = []
    for layer in range(layers):
        if layer:
            parts.append(Orthogonal(features))
        parts += [
            SphereToCylinder(),
            *_splines(features - 1, bins, max_ratio, hidden, context_features),
            Inverse(SphereToCylinder()),
        ]
    return Flow(Chain(parts), UniformSphere(), (features,), context_dims=1)


def _splines(
    entries: int, bins: int, max_ratio: float | None, hidden: Sequence[int], context_features: int
) -> list[Coupling]:
    """The heights given the angle, then the angle given the heights."""
    heights = entries - 1
    bounded, circular = BoundedSpline(bins, max_ratio=max_ratio), CircularSpline(bins, max_ratio=max_ratio)
    of_angle = AngleMLP(1, 0, bounded.parameters_per_element * heights, hidden, context_features)
    of_heights = MLP(heights, circular.parameters_per_element, hidden, context_features)
    is_angle = [True] + [False] * heights
    return [
        Coupling(entries, of_angle, bounded, event_dims=1, mask=is_angle),
        Coupling(entries, of_heights, circular, event_dims=1, mask=[not angle for angle in is_angle]),
    ]
