"""Neural circular spline flows: flows on circles and tori."""

from collections.abc import Sequence
from typing import Any

from flowkit.bijector import Bijector
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.coupling import Coupling
from flowkit.bijectors.elementwise import Elementwise
from flowkit.bijectors.injector import Injector
from flowkit.bijectors.masks import alternating_mask
from flowkit.counts import require_counts, require_widths
from flowkit.distributions.uniform_torus import UniformTorus
from flowkit.flow import Flow
from flowkit.models.recipe import remembered
from flowkit.nn.angle_mlp import AngleMLP
from flowkit.nn.mlp import MLP
from flowkit.transforms.circular_spline import CircularSpline

__all__ = ["ncsf"]


@remembered("ncsf")
def ncsf(
    features: int,
    layers: int = 5,
    hidden: Sequence[int] = (64, 64),
    bins: int = 8,
    context_features: int = 0,
    max_ratio: float | None = 1000.0,
) -> Flow:
    r"""A neural circular spline flow: angles in :math:`[-\pi, \pi]`, on a circle or on a torus of several.

    .. math:: z_K = x_K, \qquad z_i = S(x_i;\, \theta_i(\cos x_K, \sin x_K, c)) + \varphi_i \mod 2 \pi,
              \quad i \notin K

    ``S`` is a monotonic spline of ``bins`` pieces of the circle onto itself; the couplings keep the even and the odd
    angles in turn. Densities are continuous all around the circles. It starts as the uniform distribution.

    Args:
        features: how many angles, >= 1; one is a circle, two a torus.
        layers: how many spline layers, >= 1; with fewer than 2, half of the angles stay uniform.
        hidden: widths of the hidden layers of each layer's network.
        bins: pieces of a spline, >= 2.
        context_features: entries of the context; 0 for an unconditional flow.
        max_ratio: how many times as wide, or as high, as another a bin may become, > 1; ``None`` for no such bound.

    Returns:
        A flow over angles ``batch x features``, in radians, its base uniform.

    Raises:
        ValueError: a size is too small.
        TypeError: a size is no integer.

    References:
        D. J. Rezende et al., "Normalizing Flows on Tori and Spheres", ICML 2020, sec. 2.1 and 2.2.

    Examples:
        >>> import math, torch
        >>> flow = ncsf(2, layers=2)
        >>> abs(flow.log_prob(torch.tensor([[0.0, 3.0]])).item() + 2 * math.log(2 * math.pi)) < 1e-5
        True
    """
    require_widths(hidden)
    require_counts(0, context_features=context_features)
    require_counts(1, features=features, layers=layers)
    parts: list[Bijector[Any, Any]] = [
        _layer(features, CircularSpline(bins, max_ratio=max_ratio), layer % 2, hidden, context_features)
        for layer in range(layers)
    ]
    return Flow(Chain(parts), UniformTorus(), (features,), context_dims=1)


def _layer(
    features: int, spline: CircularSpline, parity: int, hidden: Sequence[int], context_features: int
) -> Bijector[Any, Any]:
    """A coupling; of a single angle, which has none to be conditioned on, a spline by itself."""
    count = spline.parameters_per_element
    if features == 1:
        if not context_features:
            return Elementwise(spline, (1,))
        return Injector(1, MLP(context_features, count, hidden), spline, event_dims=1)
    mask = alternating_mask(features, parity)
    kept = int(mask.sum())
    network = AngleMLP(kept, 0, count * (features - kept), hidden, context_features)
    return Coupling(features, network, spline, event_dims=1, mask=mask)
