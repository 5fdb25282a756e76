"""Neural spline flows of angles beside real numbers."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import Bijector
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.concatenate import Concatenate
from flowkit.bijectors.coupling import Coupling
from flowkit.bijectors.elementwise import Elementwise
from flowkit.bijectors.identity import Identity
from flowkit.bijectors.lu import LULinear
from flowkit.bijectors.masks import alternating_mask
from flowkit.counts import require_counts, require_widths
from flowkit.distributions.blockwise import Blockwise
from flowkit.distributions.standard_normal import StandardNormal
from flowkit.distributions.uniform_torus import UniformTorus
from flowkit.flow import Flow
from flowkit.models.recipe import remembered
from flowkit.models.standardize import Standardize, standardized
from flowkit.nn.angle_mlp import AngleMLP
from flowkit.nn.mlp import MLP
from flowkit.transforms.affine import Affine
from flowkit.transforms.circular_spline import CircularSpline
from flowkit.transforms.phase_shift import PhaseShift
from flowkit.transforms.rational_quadratic import RationalQuadraticSpline
from flowkit.transforms.transform import Transform

__all__ = ["cylindrical_nsf"]


@remembered("cylindrical_nsf")
def cylindrical_nsf(
    angles: int,
    numbers: int,
    layers: int = 5,
    hidden: Sequence[int] = (64, 64),
    bins: int = 8,
    bound: float = 5.0,
    context_features: int = 0,
    max_ratio: float | None = 1000.0,
    standardize: Standardize = None,
) -> Flow:
    r"""A neural spline flow of angles in :math:`[-\pi, \pi]` beside real numbers, each depending on the others.

    .. math:: \theta_i' = S_\circ(\theta_i;\, \alpha_i(\cos \theta_K, \sin \theta_K, y, c)) + \varphi_i \mod 2\pi,
              \qquad y_j' = S(y_j;\, \beta_j(\cos \theta', \sin \theta', y_L, c))

    with splines of the circle and of the real line. Layers change the even and the odd angles in turn, and so the
    numbers; a single one is changed by each layer. Between layers angles turn and a learned matrix mixes the numbers.
    For directions with speeds, torsion angles with bond lengths, times of day with amounts. Densities are continuous
    all around the circles. It starts as uniform angles beside standard normal numbers.

    Args:
        angles: how many angles, the first entries of the data, >= 1.
        numbers: how many real numbers come after them, >= 1. Of angles alone, take :func:`~flowkit.ncsf`.
        layers: how many layers, each with a coupling of angles and one of numbers, >= 1; with fewer than 2, half of
            several angles stays as it is.
        hidden: widths of the hidden layers of each coupling's network.
        bins: pieces of a spline, >= 2.
        bound: where the splines of numbers end, > 0; they are the identity beyond.
        context_features: entries of the context; 0 for an unconditional flow.
        max_ratio: how many times as wide, or as high, as another a bin may become, > 1; ``None`` for no such bound.
        standardize: data ``batch x (angles + numbers)``; the mean and standard deviation of the numbers are taken out
            first, as a fixed layer; a :class:`~flowkit.FixedAffine` of the numbers of your own; ``None`` for numbers of
            about mean 0 and variance 1.

    Returns:
        A flow over vectors ``batch x (angles + numbers)``, angles in radians.

    Raises:
        ValueError: a size is too small, or ``standardize`` has other entries than the data.
        TypeError: a size is no integer, or ``standardize`` is something else.

    References:
        D. J. Rezende et al., "Normalizing Flows on Tori and Spheres", ICML 2020, sec. 2.1 and 2.2 (products).
        Durkan, Bekasov, Murray and Papamakarios, "Neural spline flows", NeurIPS 2019, sec. 3.

    Examples:
        >>> flow = cylindrical_nsf(angles=1, numbers=2, layers=2)
        >>> direction, speed, height = flow.sample(5).unbind(-1)
        >>> flow.log_prob(torch.tensor([[3.0, 10.0, -2.0]])).shape
        torch.Size([1])
    """
    require_widths(hidden)
    require_counts(0, context_features=context_features)
    require_counts(1, angles=angles, numbers=numbers, layers=layers)
    circular = CircularSpline(bins, max_ratio=max_ratio)
    spline = RationalQuadraticSpline(bins, bound, max_ratio=max_ratio)
    parts: list[Bijector[Any, Any]] = []
    for layer in range(layers):
        mixing: Bijector[Tensor, Tensor] = (
            LULinear(numbers, start=torch.eye(numbers)) if numbers > 1 else Elementwise(Affine(), (1,))
        )
        if not layer:
            mixing = standardized(mixing, _of_numbers(standardize, angles, numbers), (numbers,))
        changed = _changed(angles, layer % 2) + [False] * numbers
        parts += [
            _side_by_side(angles, numbers, mixing),
            _coupling(changed, angles, circular, hidden, context_features),
            _coupling([False] * angles + _changed(numbers, layer % 2), angles, spline, hidden, context_features),
        ]
    # A chain's latents are what its last part says: the angles', which couplings of numbers know nothing of.
    parts.append(_side_by_side(angles, numbers, Identity()))
    base = Blockwise([UniformTorus(), StandardNormal(event_dims=1)], [angles, numbers])
    return Flow(Chain(parts), base, (angles + numbers,), context_dims=1)


def _of_numbers(standardize: Standardize, angles: int, numbers: int) -> Standardize:
    """The same setting for the real numbers alone."""
    if not isinstance(standardize, Tensor):
        return standardize
    if standardize.ndim < 2 or standardize.shape[-1] != angles + numbers:
        raise ValueError(
            f"standardize is data of shape {tuple(standardize.shape)}; this model takes batches of {angles} angles and "
            f"{numbers} real numbers"
        )
    return standardize[..., angles:]


def _side_by_side(angles: int, numbers: int, mixing: Bijector[Tensor, Tensor]) -> Concatenate:
    """Angles turned, numbers mixed."""
    return Concatenate([Elementwise(PhaseShift(), (angles,)), mixing], [angles, numbers])


def _changed(entries: int, parity: int) -> list[bool]:
    """Every other entry of several; a single one always."""
    return [True] if entries == 1 else (~alternating_mask(entries, parity)).tolist()


def _coupling(
    changed: list[bool], angles: int, transform: Transform, hidden: Sequence[int], context_features: int
) -> Coupling:
    """A coupling whose network sees the kept angles, if there is any, on their circles."""
    kept_angles = changed[:angles].count(False)
    kept_numbers = changed[angles:].count(False)
    outputs = transform.parameters_per_element * sum(changed)
    network = (
        AngleMLP(kept_angles, kept_numbers, outputs, hidden, context_features)
        if kept_angles
        else MLP(kept_numbers, outputs, hidden, context_features)
    )
    return Coupling(len(changed), network, transform, event_dims=1, mask=[not one for one in changed])
