"""Increasing vectors to real ones."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.bijector import Bijector
from flowkit.supports.ordered import OrderedSupport
from flowkit.transforms.softplus import Softplus

__all__ = ["Ordered"]


class Ordered(Bijector[Tensor, Tensor]):
    r"""Vectors whose entries increase to real ones: the first entry stays, each step becomes a number of its own.

    .. math:: z_1 = x_1, \qquad z_k = s^{-1}(x_k - x_{k-1}), \qquad s(t) = \log(1 + e^t)

    The derivative is triangular: :math:`\log|\det \partial z / \partial x|` is the sum of the logarithms of
    :math:`(s^{-1})'` over the steps. Steps are softpluses, as in TensorFlow Probability's ``Ascending``; Stan's are
    exponentials, which overflow.

    Raises:
        ValueError: (when called) the entries do not increase.

    References:
        Stan Development Team, "Stan Reference Manual", sec. "Ordered vector".

    Examples:
        >>> x = torch.tensor([1.0, 2.0, 4.0])
        >>> z, log_det = Ordered()(x)
        >>> torch.allclose(Ordered().inverse(z)[0], x), log_det.shape
        (True, torch.Size([]))
    """

    takes_context = False

    def __init__(self) -> None:
        super().__init__()
        self.step = Softplus()

    def data_support(self) -> OrderedSupport:
        """Vectors whose entries increase."""
        return OrderedSupport()

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        steps, log_slopes = self.step.inverse(x.diff(dim=-1))
        return torch.cat([x[..., :1], steps], -1), log_slopes.sum(-1)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z = z.to(torch.promote_types(z.dtype, torch.float32))
        first, rest = z[..., :1], z[..., 1:]
        steps = -F.logsigmoid(-rest)
        # A step that is lost beside the numbers that it is added to is one to the next number.
        size = first.abs() + steps.sum(-1, keepdim=True)
        steps = steps.maximum(torch.finfo(z.dtype).eps * size)
        return torch.cat([first, steps], -1).cumsum(-1), F.logsigmoid(rest).sum(-1)
