"""A flow for skewed and heavy-tailed vectors."""

from typing import Any

from flowkit import Bijector, Chain, Elementwise, Flow, LULinear, StandardNormal
from flowkit_sinh_arcsinh.transform import SinhArcsinh

__all__ = ["sinh_arcsinh_flow"]


def sinh_arcsinh_flow(features: int, layers: int = 4) -> Flow:
    r"""Layers of a learned matrix and a sinh-arcsinh transform of each feature.

    .. math:: z = T_L \circ W_L \circ \dots \circ T_1 \circ W_1(x)

    Args:
        features: entries of a vector, >= 1.
        layers: how many, >= 1.

    Returns:
        A flow over vectors ``batch x features``, its base the standard normal.

    Examples:
        >>> sinh_arcsinh_flow(3).sample(5).shape
        torch.Size([5, 3])
    """
    parts: list[Bijector[Any, Any]] = []
    for _ in range(layers):
        parts += [LULinear(features), Elementwise(SinhArcsinh(), (features,))]
    return Flow(Chain(parts), StandardNormal(), (features,))
