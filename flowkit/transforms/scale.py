"""Scale functions: from an unbounded number to the log of a scale."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.recorded import Recorded

__all__ = ["BoundedLogScale", "SigmoidScale"]


class BoundedLogScale(Recorded, nn.Module):
    r"""The log-scale, held within ``[-bound, bound]``: :math:`\log s = b \tanh(r / b)`.

    The safer choice: the identity at ``r = 0``, and neither direction can overflow.

    Args:
        bound: largest absolute log-scale, > 0.

    Raises:
        ValueError: ``bound`` is not positive and finite.

    References:
        L. Dinh, J. Sohl-Dickstein, S. Bengio, "Density estimation using Real NVP", ICLR 2017, whose log-scale is
        a hyperbolic tangent times a learned factor.

    Examples:
        >>> BoundedLogScale(2.0)(torch.tensor([0.0, 100.0]))
        tensor([0., 2.])
    """

    def __init__(self, bound: float = 2.0) -> None:
        super().__init__()
        if not 0 < bound < math.inf:
            raise ValueError(f"bound is {bound}; a bounded log-scale needs a positive, finite bound")
        self.bound = bound

    def forward(self, raw: Tensor) -> Tensor:
        """The log-scale, of the shape of ``raw``, in ``[-bound, bound]``."""
        return self.bound * torch.tanh(raw / self.bound)


class SigmoidScale(Recorded, nn.Module):
    r"""The log of a shifted sigmoid: :math:`\log s = \log(\sigma(r + 2) + \epsilon)`.

    The scale of Glow and of the published SRFlow and DeFlow networks: about 0.88 at ``r = 0``, never over
    ``1 + eps``, never under ``eps``.

    Args:
        eps: the smallest scale, >= 0. At 0 the log-scale is exact but unbounded below.

    Raises:
        ValueError: ``eps`` is negative, or not finite.

    References:
        D. P. Kingma, P. Dhariwal, "Glow: Generative Flow with Invertible 1x1 Convolutions", NeurIPS 2018:
        the code that was published with it; the paper has the exponential.

    Examples:
        >>> SigmoidScale(eps=0.0)(torch.tensor([-2.0])).exp()
        tensor([0.5000])
    """

    def __init__(self, eps: float = 1e-3) -> None:
        super().__init__()
        if not 0 <= eps < math.inf:
            raise ValueError(f"eps is {eps}; the smallest scale is finite and not negative")
        self.eps = eps

    def forward(self, raw: Tensor) -> Tensor:
        """The log-scale, of the shape of ``raw``."""
        if self.eps == 0:
            return F.logsigmoid(raw + 2)
        return torch.log(torch.sigmoid(raw + 2) + self.eps)
