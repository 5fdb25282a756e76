"""The unconstrained monotonic network, by numerical integration."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor, nn

from flowkit.half_precision import in_full_precision
from flowkit.ops.precision import at_least_float32, without_autocast
from flowkit.transforms.monotone import StraightTails

__all__ = ["UnconstrainedMonotonic"]

# The slope is within e^-7 to e^7, a thousandth to a thousand.
LARGEST_LOG_SLOPE = 7.0


class UnconstrainedMonotonic(StraightTails):
    r"""The integral of a positive network of any form, on ``[-bound, bound]``; straight outside.

    .. math:: y = b + \int_0^x g(t, h)\, dt, \qquad \log g = 7 \tanh(n(t, h) / 7), \qquad \frac{dy}{dx} = g(x, h)

    The network :math:`n` is one for all numbers, and belongs to the transform; what a conditioner gives each number is
    the signal ``h`` that the network sees beside ``t``, and ``b``. The integral is Gauss and Legendre's sum over
    ``points`` between 0 and ``x``. Its error, which is how much the log-derivative is off that of the sum, falls
    exponentially with their number and grows with how sharply the network bends along ``t``: with 32 points it starts
    under 1e-9; on a checkerboard, a flow of such transforms had come to 2e-11 after 400 steps at a learning rate of
    0.01, to 5e-8 after 1,200 and to 7e-6 after 1,600. Another transform of more points that is given the same
    ``network`` tells how large it is. The inverse is :func:`~flowkit.ops.monotone_root`'s.

    The network starts at 0, and the whole as the identity.

    Args:
        signal: entries of ``h``, >= 1.
        hidden: widths of the network's hidden layers, at least one.
        points: of the sum, >= 1.
        bound: half the length of the interval, > 0; in units of ``x``.

    Raises:
        ValueError: an argument is outside its range.

    References:
        Wehenkel and Louppe, Unconstrained monotonic neural networks, 2019, eq. 1 and sec. 4.

    Examples:
        >>> transform = UnconstrainedMonotonic(signal=4, hidden=(16,))
        >>> y, log_dydx = transform(torch.tensor([-1.0, 20.0]), transform.constrain(torch.zeros(2, 5)))
        >>> y.detach(), log_dydx.detach()
        (tensor([-1., 20.]), tensor([0., 0.]))
    """

    def __init__(self, signal: int = 8, hidden: Sequence[int] = (32, 32), points: int = 32, bound: float = 5.0) -> None:
        super().__init__(bound)
        if points < 1 or signal < 1 or not hidden:
            raise ValueError(
                f"points is {points}, signal is {signal} and hidden is {hidden!r}; none of them is 0 or empty"
            )
        self.network = _Network(signal, hidden)
        self.signal = signal
        self.parameters_per_element = signal + 1
        nodes, weights = np.polynomial.legendre.leggauss(points)
        self._nodes, self._weights = ((nodes + 1) / 2).tolist(), (weights / 2).tolist()

    def constrain(self, raw: Tensor) -> tuple[Tensor, ...]:
        """The signal ``... x signal`` and the shift ``b``, from ``... x (signal + 1)``."""
        raw = at_least_float32(raw)
        return raw[..., :-1], raw[..., -1]

    def inside(self, x: Tensor, parameters: tuple[Tensor, ...]) -> tuple[Tensor, Tensor]:
        """``y`` and log dy/dx, elementwise, for ``x`` in ``[-bound, bound]``."""
        signal, shift = parameters
        nodes = torch.tensor([*self._nodes, 1.0], dtype=x.dtype, device=x.device)
        weights = torch.tensor(self._weights, dtype=x.dtype, device=x.device)
        log_slopes = self._log_slope(x.unsqueeze(-1) * nodes, signal.unsqueeze(-2))
        integral = (weights * log_slopes[..., :-1].exp()).sum(-1)
        return shift + x * integral, log_slopes[..., -1]

    def _log_slope(self, t: Tensor, signal: Tensor) -> Tensor:
        # Rounded to half precision, the sum and the slope would not fit each other.
        with without_autocast(t.device):
            raw = in_full_precision(self.network)(t.unsqueeze(-1), signal).squeeze(-1)
        return LARGEST_LOG_SLOPE * torch.tanh(raw / LARGEST_LOG_SLOPE)


class _Network(nn.Module):
    """A perceptron of one number and a signal, whose last layer starts at zero.

    Args:
        signal: entries of the signal.
        hidden: widths of the hidden layers, at least one.
    """

    def __init__(self, signal: int, hidden: Sequence[int]) -> None:
        super().__init__()
        self.of_number = nn.Linear(1, hidden[0])
        self.of_signal = nn.Linear(signal, hidden[0], bias=False)
        self.rest = nn.Sequential()
        for before, after in pairwise([*hidden, 1]):
            self.rest.extend([nn.Tanh(), nn.Linear(before, after)])
        for parameter in self.rest[-1].parameters():
            nn.init.zeros_(parameter)

    def forward(self, t: Tensor, signal: Tensor) -> Tensor:
        """``... x 1`` and ``... x signal`` to ``... x 1``."""
        return self.rest(self.of_number(t) + self.of_signal(signal))
