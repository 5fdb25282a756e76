"""The block neural autoregressive flow."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from flowkit.bijector import sum_event
from flowkit.bijectors.channels import ChannelBijector
from flowkit.bijectors.conditioner import prepare_conditioner
from flowkit.half_precision import in_full_precision
from flowkit.nn.block_autoregressive import BlockAutoregressive
from flowkit.ops.precision import at_least_float32, without_autocast
from flowkit.ops.root_finding import monotone_root

__all__ = ["BlockNeuralAutoregressive"]

# The ends of a bracket are rounded: a little farther out, they are beyond the root.
BEYOND = 1e-3
# Of the gate's sigmoid: the inverse's bracket is over 1 minus the gate, which is a thousandth at least.
LARGEST_RAW_GATE = 7.0


class BlockNeuralAutoregressive(ChannelBijector):
    r"""A block neural autoregressive layer: one network gives all latents, each increasing in its own feature.

    .. math:: z_i = g_i\, f_i(x_{\le i}, c) + (1 - g_i)\, x_i, \qquad
              \log\left|\det \frac{\partial z}{\partial x}\right|
              = \sum_i \log\left(g_i \frac{\partial f_i}{\partial x_i} + 1 - g_i\right)

    ``forward`` is one pass of the network. Since :math:`f` is bounded and :math:`g_i`, a learned sigmoid, is 0.999 at
    most, it is onto the real line; ``inverse`` finds one feature after another by :func:`~flowkit.ops.monotone_root`,
    27 passes each.

    Args:
        network: :class:`~flowkit.nn.BlockAutoregressive`, or one like it.

    Raises:
        ValueError: (when called) an input of another number of features, or a context that does not fit the network.

    References:
        De Cao, Titov and Aziz, "Block neural autoregressive flow", UAI 2019, sec. 3; the gate: its sec. 4.

    Examples:
        >>> layer = BlockNeuralAutoregressive(BlockAutoregressive(3, units=4))
        >>> x = torch.rand(5, 3)
        >>> z, log_det = layer(x)
        >>> torch.allclose(layer.inverse(z)[0], x, atol=1e-5)
        True
    """

    def __init__(self, network: BlockAutoregressive) -> None:
        super().__init__(network.features, event_dims=1)
        self.network = network
        # A gate of a quarter: where the network is saturated, three such layers still stretch by more than 1 / e.
        self.raw_gate = nn.Parameter(torch.full((network.features,), -1.0))

    def prepare(self, context: Any) -> Any:
        """What the network computes from the context alone."""
        return prepare_conditioner(self.network, context)

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x = at_least_float32(x)
        with without_autocast(x.device):
            z, log_derivative = self._value_and_slope(x, prepared)
            return z, sum_event(log_derivative, 1)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z = at_least_float32(z)
        with without_autocast(z.device):
            lower, upper = self._bracket(z)
            x = z[..., :0]
            for feature in range(self.channels):
                # Its result's type as a string: torch before 2.11 traces no subscripted one.
                def value_at(number: Tensor, known: Tensor = x, feature: int = feature) -> "tuple[Tensor, Tensor]":
                    missing = self.channels - feature - 1
                    y, log_derivative = self._value_and_slope(
                        F.pad(torch.cat([known, number.unsqueeze(-1)], -1), (0, missing)), prepared
                    )
                    return y[..., feature], log_derivative[..., feature]

                found = monotone_root(value_at, z[..., feature], lower[..., feature], upper[..., feature])
                x = torch.cat([x, found.unsqueeze(-1)], -1)
            return x, -sum_event(self._value_and_slope(x, prepared)[1], 1)

    def _value_and_slope(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        network = in_full_precision(self.network)
        y, log_derivative = network(x) if prepared is None else network(x, prepared)
        raw = self._raw_gate()
        gate = torch.sigmoid(raw)
        return gate * y + (1 - gate) * x, torch.logaddexp(F.logsigmoid(raw) + log_derivative, F.logsigmoid(-raw))

    def _raw_gate(self) -> Tensor:
        return at_least_float32(self.raw_gate).clamp(max=LARGEST_RAW_GATE)

    @torch.no_grad()
    def _bracket(self, z: Tensor) -> tuple[Tensor, Tensor]:
        gate = torch.sigmoid(self._raw_gate())
        reach = gate * self.network.largest() + BEYOND
        return (z - reach) / (1 - gate) - BEYOND * z.abs(), (z + reach) / (1 - gate) + BEYOND * z.abs()
