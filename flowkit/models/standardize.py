"""Named models of data in any units."""

from typing import Any

import torch
from torch import Tensor

from flowkit.bijector import Bijector
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.fixed_affine import FixedAffine

__all__ = ["Standardize", "standardized"]

# A model's setting: data to standardise by, the layer that does it, True for one whose numbers are loaded; or nothing.
Standardize = Tensor | FixedAffine | bool | None


def standardized(bijector: Bijector[Any, Any], standardize: Standardize, shape: tuple[int, ...]) -> Bijector[Any, Any]:
    """A bijector after a standardisation of the data.

    Args:
        bijector: of standardised data.
        standardize: data ``batch x event``; a layer; ``True`` for a layer that starts as the identity, until a state
            dict is loaded; ``None`` or ``False`` for none.
        shape: shape of the numbers: ``(features,)``, or ``(channels, 1, 1)`` for images.

    Returns:
        The bijector itself, or a chain of the layer and it.

    Raises:
        TypeError: ``standardize`` is something else, or data of another type than floating point.
        ValueError: the data is empty, not finite, or of another shape than the model's.

    Examples:
        >>> from flowkit import Reversal
        >>> chain = standardized(Reversal(2), 5 + 3 * torch.randn(100, 2), (2,))
        >>> bool(chain(torch.full((1, 2), 5.0))[0].abs().max() < 1)
        True
    """
    if standardize is None or standardize is False:
        return bijector
    if standardize is True:
        layer = FixedAffine(torch.zeros(shape), torch.ones(shape), len(shape))
    elif isinstance(standardize, FixedAffine):
        layer = standardize
    elif isinstance(standardize, Tensor):
        if standardize.ndim <= len(shape) or standardize.shape[-len(shape)] != shape[0]:
            raise ValueError(
                f"standardize is data of shape {tuple(standardize.shape)}; this model takes batches of "
                f"{len(shape)} dimensions with {shape[0]} {'features' if len(shape) == 1 else 'channels'}"
            )
        layer = FixedAffine.standardizing(standardize, len(shape), shape).to(torch.get_default_dtype())
    else:
        raise TypeError(
            f"standardize is a {type(standardize).__name__}; it is the data to standardise by, a tensor, or a "
            "FixedAffine"
        )
    return Chain([layer, bijector])
