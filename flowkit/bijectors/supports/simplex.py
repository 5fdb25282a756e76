"""What the bijectors from the simplex share."""

import torch
from torch import Tensor

from flowkit.bijector import Bijector, Interval, Shape
from flowkit.supports.simplex import SimplexSupport

__all__ = ["SimplexBijector", "probabilities"]


class SimplexBijector(Bijector[Tensor, Tensor]):
    r"""A bijector from probabilities of ``K`` classes, ``batch x K``, onto :math:`\mathbb R^{K - 1}`.

    Its log-determinants refer to the volume of the first ``K - 1`` probabilities, as the densities of
    ``torch.distributions.Dirichlet`` do.

    Raises:
        ValueError: (when called) the probabilities are fewer than two, not positive, or do not sum to 1.

    References:
        J. Aitchison, "The Statistical Analysis of Compositional Data", JRSS B 1982.

    Examples:
        >>> from flowkit.bijectors import StickBreaking
        >>> isinstance(StickBreaking(), SimplexBijector), StickBreaking().output_shape((3,))
        (True, (2,))
    """

    takes_context = False

    def output_shape(self, shape: Shape) -> Shape:
        """``K`` to ``K - 1``; ValueError for fewer than two."""
        if shape[0] < 2:
            raise ValueError(f"a simplex has two probabilities or more, got the event shape {tuple(shape)}")
        return (shape[0] - 1,)

    def input_shape(self, shape: Shape) -> Shape:
        """``K - 1`` to ``K``."""
        return (shape[0] + 1,)

    def domain(self, dtype: torch.dtype) -> Interval:
        """From 0 to 1, which a probability is rounded to where the others are tiny."""
        return 0.0, 1 + 4 * torch.finfo(dtype).eps

    def data_support(self) -> SimplexSupport:
        """The simplex."""
        return SimplexSupport()


def probabilities(logarithms: Tensor) -> Tensor:
    """Probabilities by their logarithms, none of them 0, which is off the simplex.

    Args:
        logarithms: of any shape.

    Returns:
        The exponentials; where these underflow, the smallest number with all its digits.

    Examples:
        >>> bool(probabilities(torch.tensor([-1000.0])) > 0)
        True
    """
    return logarithms.exp().clamp_min(torch.finfo(logarithms.dtype).tiny)
