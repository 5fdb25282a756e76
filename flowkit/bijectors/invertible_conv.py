"""Invertible 1x1 convolutions: the matrices over the channels, on images."""

from flowkit.bijectors.householder import Householder
from flowkit.bijectors.linear import Linear
from flowkit.bijectors.lu import LULinear

__all__ = ["Conv1x1", "HouseholderConv1x1", "LUConv1x1"]


class Conv1x1(Linear):
    r"""An invertible 1x1 convolution with a dense matrix: :math:`z_{hw} = W x_{hw}`.

    The log-determinant is :math:`H W \log|\det W|`; the inverse solves :math:`W x = z`. It is
    :class:`~flowkit.bijectors.linear.Linear` for images.

    Args:
        channels: number of channels, >= 1; ``W`` is ``channels x channels`` and starts as a random orthogonal matrix.

    Raises:
        ValueError: ``channels`` is under 1, or (when called) the input has another number of channels.

    References:
        Kingma and Dhariwal, Glow: generative flow with invertible 1x1 convolutions, 2018, sec. 3.2.

    Examples:
        >>> import torch
        >>> conv = Conv1x1(3)
        >>> x = torch.rand(2, 3, 4, 5)
        >>> torch.allclose(conv.inverse(conv(x)[0])[0], x, atol=1e-5)
        True
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, event_dims=3)


class LUConv1x1(LULinear):
    r"""An invertible 1x1 convolution in LU form: :math:`W = P L (U + \mathrm{diag}(\sigma e^{s}))`.

    ``P`` is a fixed permutation, ``L`` unit lower triangular, ``U`` strictly upper triangular, the signs fixed. The
    log-determinant is :math:`H W \sum s`; the inverse is two triangular solves. It is
    :class:`~flowkit.bijectors.lu.LULinear` for images.

    Args:
        channels: number of channels, >= 1. ``W`` starts as a random orthogonal matrix.

    Raises:
        ValueError: ``channels`` is under 1, or (when called) the input has another number of channels.

    References:
        Kingma and Dhariwal, Glow: generative flow with invertible 1x1 convolutions, 2018, sec. 3.2, eq. 10.

    Examples:
        >>> import torch
        >>> conv = LUConv1x1(3)
        >>> x = torch.rand(2, 3, 4, 5)
        >>> torch.allclose(conv.inverse(conv(x)[0])[0], x, atol=1e-5)
        True
    """

    def __init__(self, channels: int) -> None:
        super().__init__(channels, event_dims=3)


class HouseholderConv1x1(Householder):
    r"""An orthogonal 1x1 convolution, a product of reflections: :math:`z_{hw} = H_1 \cdots H_K\, x_{hw}`.

    The log-determinant is 0; the inverse is the transpose. It is
    :class:`~flowkit.bijectors.householder.Householder` for images.

    Args:
        channels: number of channels, >= 1.
        reflections: ``K``, >= 1; ``None`` for as many as channels.

    Raises:
        ValueError: an argument is under 1, or (when called) the input has another number of channels.

    References:
        Tomczak and Welling, Improving variational auto-encoders using Householder flow, 2016.

    Examples:
        >>> import torch
        >>> conv = HouseholderConv1x1(3)
        >>> x = torch.rand(2, 3, 4, 5)
        >>> torch.allclose(conv.inverse(conv(x)[0])[0], x, atol=1e-5)
        True
    """

    def __init__(self, channels: int, reflections: int | None = None) -> None:
        super().__init__(channels, reflections, event_dims=3)
