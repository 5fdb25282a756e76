"""The sinh-arcsinh transform of one number."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.transforms import BoundedLogScale, Transform

__all__ = ["SinhArcsinh"]


class SinhArcsinh(Transform):
    r"""The sinh-arcsinh transform of one number.

    .. math:: y = \sinh(\delta \operatorname{arcsinh}(x) - \epsilon)

    It takes skewed numbers with heavy or light tails to normal ones. The skewness that
    it takes away is :math:`\epsilon`, and :math:`\delta` is under 1 where the tails are
    heavier than the normal's. At raw parameters of 0 it is the identity.

    Parameters of each element: :math:`\epsilon` within (-2, 2), :math:`\log \delta`
    within (-1, 1).

    References:
        M. C. Jones, A. Pewsey, "Sinh-arcsinh distributions", Biometrika 2009.

    Examples:
        >>> transform = SinhArcsinh()
        >>> x = torch.tensor([-1.0, 3.0])
        >>> y, log_dydx = transform(x, transform.constrain(torch.zeros(2, 2)))
        >>> torch.allclose(y, x), bool(log_dydx.abs().max() < 1e-6)
        (True, True)
    """

    parameters_per_element = 2

    def __init__(self) -> None:
        super().__init__()
        self.skewness = BoundedLogScale(2.0)
        self.tail = BoundedLogScale(1.0)

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """Epsilon and log-delta of raw parameters ``... x 2``; in float32 at least."""
        skewness, tail = raw.to(torch.promote_types(raw.dtype, torch.float32)).unbind(
            -1
        )
        return self.skewness(skewness), self.tail(tail)

    def forward(
        self, x: Tensor, parameters: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor]:
        """``y`` and log dy/dx, of the shape of ``x``."""
        epsilon, log_delta = parameters
        bent = log_delta.exp() * torch.asinh(x) - epsilon
        return torch.sinh(bent), log_delta + _log_cosh(bent) - _log_cosh_of_asinh(x)

    def inverse(
        self, y: Tensor, parameters: tuple[Tensor, ...]
    ) -> tuple[Tensor, Tensor]:
        """``x`` and log dx/dy, of the shape of ``y``."""
        epsilon, log_delta = parameters
        bent = (-log_delta).exp() * (torch.asinh(y) + epsilon)
        return torch.sinh(bent), -log_delta + _log_cosh(bent) - _log_cosh_of_asinh(y)


def _log_cosh(t: Tensor) -> Tensor:
    # The exponential in cosh overflows where its logarithm is a small number.
    return t.abs() + F.softplus(-2 * t.abs()) - math.log(2)


def _log_cosh_of_asinh(x: Tensor) -> Tensor:
    # cosh(asinh(x)) is the root of 1 + x^2, which overflows in float32 at 1e19.
    return torch.log(torch.hypot(torch.ones_like(x), x))
