"""LipSwish: a smooth activation that does not stretch distances."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["LipSwish"]

# The largest slope of x * sigmoid(beta x), whatever beta, is 1.0998.
_LARGEST_SLOPE = 1.1


class LipSwish(nn.Module):
    r"""The swish function, scaled to a slope of at most 1: :math:`y = x\, \sigma(\beta x) / 1.1`.

    Smooth, so that the Jacobian of a network of it is differentiable, and with a second derivative that does not
    vanish where the first is large, so that a log-determinant teaches something there. :math:`\beta > 0` is learnt, as
    the softplus of a parameter; no value of it makes the slope larger than 1.

    References:
        Chen, Behrmann, Duvenaud and Jacobsen, "Residual Flows for Invertible Generative Modeling", NeurIPS 2019,
        section 3.3.

    Examples:
        >>> x = torch.linspace(-9, 9, 1001, requires_grad=True)
        >>> (slope,) = torch.autograd.grad(LipSwish()(x).sum(), x)
        >>> bool(slope.abs().max() <= 1)
        True
    """

    def __init__(self) -> None:
        super().__init__()
        self.raw_beta = nn.Parameter(torch.tensor(0.5))

    def forward(self, x: Tensor) -> Tensor:
        """Any shape to the same shape."""
        return x * (x * F.softplus(self.raw_beta)).sigmoid() / _LARGEST_SLOPE
