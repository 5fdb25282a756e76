"""Turns of a circle."""

import math

import torch
from torch import Tensor

from flowkit.bijector import Interval
from flowkit.transforms.transform import Transform

__all__ = ["PhaseShift", "circle", "wrap_angle"]


class PhaseShift(Transform):
    r"""A turn of a circle: :math:`y = x + \varphi \mod 2\pi`, of angles in :math:`[-\pi, \pi]`.

    The derivative is 1. A raw parameter of 0 is no turn.

    References:
        D. J. Rezende et al., "Normalizing Flows on Tori and Spheres", ICML 2020, sec. 2.1 (phase translation).

    Examples:
        >>> PhaseShift()(torch.tensor([3.0]), (torch.tensor([1.0]),))
        (tensor([-2.2832]), tensor([0.]))
    """

    parameters_per_element = 1

    def domain(self, dtype: torch.dtype) -> Interval:
        """The circle, both of its ends included."""
        return circle(dtype)

    def codomain(self, dtype: torch.dtype) -> Interval:
        """The circle, both of its ends included."""
        return circle(dtype)

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """The phase."""
        return (raw.squeeze(-1).to(torch.promote_types(raw.dtype, torch.float32)),)

    def forward(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``y`` and log dy/dx, which is 0."""
        y = wrap_angle(x + parameters[0])
        return y, torch.zeros_like(y)

    def inverse(self, y: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``x`` and log dx/dy, which is 0."""
        x = wrap_angle(y - parameters[0])
        return x, torch.zeros_like(x)


def wrap_angle(angle: Tensor) -> Tensor:
    r"""Angles brought into :math:`[-\pi, \pi]`, by whole turns.

    Args:
        angle: in radians, of any shape.

    Returns:
        The same angles.

    Examples:
        >>> wrap_angle(torch.tensor([4.0, -7.0]))
        tensor([-2.2832, -0.7168])
    """
    turns = (angle / (2 * math.pi)).round()
    # Rounding may lead a little past an end.
    return (angle - 2 * math.pi * turns).clamp(-math.pi, math.pi)


def circle(dtype: torch.dtype) -> Interval:
    r"""The open interval that angles in :math:`[-\pi, \pi]` lie in, both ends being taken.

    Args:
        dtype: floating-point type of the angles.

    Returns:
        Two numbers a little farther apart.

    Examples:
        >>> lower, upper = circle(torch.float32)
        >>> lower < -math.pi < math.pi < upper
        True
    """
    # Angles in float64 have often been float32, whose pi is 9e-8 too large.
    end = math.pi + max(1e-7, 4 * math.pi * torch.finfo(dtype).eps)
    return -end, end
