"""The shift whose strength follows h's brightness, trained."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.ops import at_least_float32, without_autocast
from flowkit_deflow.method.shifts.places import brightness, resized
from flowkit_deflow.method.shifts.rotated import RotatedField
from flowkit_deflow.method.shifts.shift import DomainShift, positive_start

__all__ = ["BrightnessShift"]

HIDDEN = 16
# Of g: from an eighth to eight times the strength would take 2.08.
LARGEST_LOG_FACTOR = 2.0


class BrightnessShift(DomainShift):
    r"""A shift with fixed axes whose deviations depend on how bright h is.

    .. math:: u \mid h \sim N\left(\mu_u,\ Q \operatorname{diag}\left(a^2 e^{2 g(b)}\right) Q^\top\right)

    for the mean :math:`b` of h over colours and 3 x 3 places, and a network :math:`g` of 16 hidden units with values in
    (-2, 2), one for each channel. :math:`Q = e^{S - S^\top}` is orthogonal. It is trained by the same two marginal
    likelihoods as the paper's shift, and starts as one, with ``Q = I`` and ``g = 0``.

    Args:
        channels: channels of the level's latents.
        start: every element of ``a`` at the start, > 0.

    Raises:
        ValueError: ``start`` is not positive, or (when called) there is no h.

    Examples:
        >>> shift = BrightnessShift(2, start=0.5)
        >>> shift.at(torch.rand(1, 3, 2, 2), (4, 4)).draw(torch.ones(1, 2, 4, 4)).shape
        torch.Size([1, 2, 4, 4])
    """

    def __init__(self, channels: int, start: float = 0.01) -> None:
        super().__init__(channels)
        self.mean = nn.Parameter(torch.zeros(channels))
        self.deviations = nn.Parameter(torch.full((channels,), positive_start(start)))
        self.skew = nn.Parameter(torch.zeros(channels, channels))
        self.hidden = nn.Conv2d(1, HIDDEN, 1)
        self.output = nn.Conv2d(HIDDEN, channels, 1)
        for parameter in self.output.parameters():
            nn.init.zeros_(parameter)

    @property
    def axes(self) -> Tensor:
        """``Q``, in float32 at least."""
        skew = at_least_float32(self.skew)
        return torch.matrix_exp(skew - skew.T)

    @property
    def factor(self) -> Tensor:
        """``M`` for ``g = 0``."""
        return self.axes * at_least_float32(self.deviations)

    def at(self, h: Tensor | None, size: tuple[int, int]) -> RotatedField:
        """The deviations that go with the brightness of each place."""
        if h is None:
            raise ValueError(
                "a shift that depends on h's brightness was given no h; pass the h that the flow is conditioned on"
            )
        with without_autocast(h.device):
            deviations = at_least_float32(self.deviations)[:, None, None] * self._log_factor(h, size).exp()
            return RotatedField(self.mean, self.axes, deviations)

    def _log_factor(self, h: Tensor, size: tuple[int, int]) -> Tensor:
        """``g``, ``B x C x H x W``, in float32 at least: a log-scale is not to be rounded to half precision."""
        # From [0, 1] to [-2, 2], where the hidden units bend.
        centred = 4 * (resized(brightness(h), size) - 0.5)
        raw = _applied(self.output, F.silu(_applied(self.hidden, centred.to(at_least_float32(self.mean)))))
        return LARGEST_LOG_FACTOR * torch.tanh(raw / LARGEST_LOG_FACTOR)


def _applied(conv: nn.Conv2d, x: Tensor) -> Tensor:
    """A 1x1 convolution out of half precision, in which its weights may be stored."""
    assert conv.bias is not None
    return F.conv2d(x, at_least_float32(conv.weight), at_least_float32(conv.bias))
