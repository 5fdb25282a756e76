"""Positive numbers to real ones."""

from flowkit.bijectors.elementwise import Elementwise
from flowkit.transforms.exp import Log

__all__ = ["Positive"]


class Positive(Elementwise):
    r"""Positive numbers to real ones, each by its logarithm.

    .. math:: z_i = \log x_i, \qquad \log\left|\det \frac{\partial z}{\partial x}\right| = -\sum_i \log x_i

    It is ``Elementwise(Log())``; for numbers that grow linearly, ``Elementwise(InverseTransform(Softplus()))``.

    Args:
        event_dims: 3 for images, 1 for vectors ``batch x features``.

    References:
        A. Kucukelbir, D. Tran, R. Ranganath, A. Gelman, D. M. Blei, "Automatic Differentiation Variational Inference",
        JMLR 2017, sec. 2.3.

    Examples:
        >>> import torch
        >>> Positive()(torch.tensor([1.0, 1.0]))
        (tensor([0., 0.]), tensor(0.))
    """

    def __init__(self, event_dims: int = 1) -> None:
        super().__init__(Log(), (), event_dims)
