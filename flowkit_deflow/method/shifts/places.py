"""What is known of a place from h: how bright it is, and how much contrast it has."""

import torch
import torch.nn.functional as F
from torch import Tensor

from flowkit.ops import at_least_float32

__all__ = ["brightness", "contrast", "interpolation_weights", "quantile_centres", "resized"]

# Added to the standard deviation before its logarithm, for values in [0, 1]: under two grey levels all is flat.
FLAT = 0.01


def brightness(h: Tensor) -> Tensor:
    """Mean over the colours and over 3 x 3 places.

    Args:
        h: ``B x 3 x H x W``.

    Returns:
        ``B x 1 x H x W``, in float32 at least.

    Examples:
        >>> brightness(torch.full((1, 3, 2, 2), 0.5)).flatten()
        tensor([0.5000, 0.5000, 0.5000, 0.5000])
    """
    return _mean_of_neighbours(at_least_float32(h).mean(1, keepdim=True))


def contrast(h: Tensor) -> Tensor:
    r"""Logarithm of the standard deviation of 3 x 3 places, :math:`\frac12 \log(\sigma^2 + 0.01^2)`, of the grey image.

    Args:
        h: ``B x 3 x H x W``.

    Returns:
        ``B x 1 x H x W``, in float32 at least.

    Examples:
        >>> contrast(torch.full((1, 3, 1, 1), 0.5)).exp().item()
        0.00999...
    """
    grey = at_least_float32(h).mean(1, keepdim=True)
    # Less a constant near all values, so that little is lost where squares are subtracted.
    grey = grey - grey.mean((-2, -1), keepdim=True)
    mean = _mean_of_neighbours(grey)
    variance = (_mean_of_neighbours(grey.square()) - mean.square()).clamp_min(0)
    return 0.5 * (variance + FLAT**2).log()


def resized(features: Tensor, size: tuple[int, int]) -> Tensor:
    """Features of h at the latents' resolution: interpolated where that is higher, averaged where it is lower.

    Args:
        features: ``B x F x H x W``.
        size: height and width of the latents, both a multiple or a divisor of the features'.

    Returns:
        ``B x F`` and the size.

    Examples:
        >>> resized(torch.tensor([[[[1.0, 3.0]]]]), (1, 1))
        tensor([[[[2.]]]])
    """
    if tuple(features.shape[-2:]) == tuple(size):
        return features
    if size[-1] > features.shape[-1]:
        return F.interpolate(features, size, mode="bilinear", align_corners=False)
    return F.adaptive_avg_pool2d(features, size)


def quantile_centres(values: Tensor, number: int) -> Tensor:
    r"""The centres of bins that hold equal shares of some values: their quantiles at :math:`(k + \frac12) / K`.

    Args:
        values: any shape, not empty.
        number: ``K``.

    Returns:
        ``K`` rising numbers.

    Examples:
        >>> quantile_centres(torch.arange(101.0), 2)
        tensor([25., 75.])
    """
    ordered = values.flatten().sort().values
    places = (torch.arange(number, device=values.device) + 0.5) / number * (len(ordered) - 1)
    return ordered[places.round().long()]


def interpolation_weights(values: Tensor, centres: Tensor) -> Tensor:
    """Weights of the linear interpolation between centres; beyond the outermost ones these have all the weight.

    Args:
        values: ``B x H x W``.
        centres: ``K`` rising numbers.

    Returns:
        ``B x K x H x W``; the weights of a place add up to 1.

    Examples:
        >>> interpolation_weights(torch.tensor([[[-1.0, 0.5, 2.0]]]), torch.tensor([0.0, 1.0]))
        tensor([[[[1.0000, 0.5000, 0.0000]],
        <BLANKLINE>
                 [[0.0000, 0.5000, 1.0000]]]])
    """
    columns = values[:, None]
    one = torch.ones_like(columns)
    left, right = centres[:-1, None, None], centres[1:, None, None]
    # How far a value has come from each centre to the next. Centres may coincide, where many values are the same.
    risen = ((columns - left) / (right - left).clamp_min(torch.finfo(centres.dtype).tiny)).clamp(0, 1)
    return torch.cat([one, risen], 1) - torch.cat([risen, 0 * one], 1)


def _mean_of_neighbours(values: Tensor) -> Tensor:
    """Mean of 3 x 3 places; at the border, of those that there are."""
    return F.avg_pool2d(values, 3, stride=1, padding=1, count_include_pad=False)
