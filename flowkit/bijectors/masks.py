"""Masks: which elements a coupling keeps."""

from dataclasses import dataclass

import torch
from torch import Tensor

from flowkit.bijector import Shape

__all__ = ["Checkerboard", "alternating_mask"]


def alternating_mask(channels: int, parity: int = 0) -> Tensor:
    r"""Every other channel: :math:`M_c = [c \bmod 2 = p]`.

    Args:
        channels: how many, at least 1.
        parity: :math:`p`, 0 to keep the first channel, 1 to keep the second.

    Returns:
        ``channels`` booleans, true for the channels that are kept: the ``mask`` of a :class:`~flowkit.Coupling`.

    Raises:
        ValueError: ``parity`` is neither 0 nor 1.

    References:
        Dinh et al., *NICE*, ICLR workshop 2015, sec. 5.1 (odd and even components).

    Examples:
        >>> alternating_mask(5)
        tensor([ True, False,  True, False,  True])
    """
    _require_parity(parity)
    # A layer reads its mask, which it could not on the meta device, where a model may be made.
    return torch.arange(channels, device="cpu") % 2 == parity


@dataclass(frozen=True)
class Checkerboard:
    r"""The checkerboard over an image's positions: :math:`M_{hw} = [(h + w) \bmod 2 = p]`.

    The ``mask`` of a :class:`~flowkit.MaskedCoupling`, for images of any size. Of an image
    of one position it keeps all (``parity=0``) or nothing (``parity=1``).

    Args:
        parity: :math:`p`, 0 to keep the upper left position, 1 to keep its neighbours.

    Raises:
        ValueError: ``parity`` is neither 0 nor 1; or (when called) the event shape has less than 2 dimensions.

    References:
        Dinh et al., *Density estimation using Real NVP*, ICLR 2017, sec. 3.4 and fig. 3 (left); its mask is that of
        ``parity=1``.

    Examples:
        >>> Checkerboard()((3, 2, 3))
        tensor([[ True, False,  True],
                [False,  True, False]])
    """

    parity: int = 0

    def __post_init__(self) -> None:
        _require_parity(self.parity)

    def __call__(self, shape: Shape) -> Tensor:
        """``H x W`` booleans for an event shape that ends in ``H x W``."""
        if len(shape) < 2:
            raise ValueError(f"a checkerboard is over height and width, got the event shape {tuple(shape)}")
        height, width = shape[-2:]
        return (torch.arange(height).unsqueeze(-1) + torch.arange(width)) % 2 == self.parity


def _require_parity(parity: int) -> None:
    if parity not in (0, 1):
        raise ValueError(f"parity is {parity}; it is 0 or 1")
