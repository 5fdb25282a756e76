"""An actnorm and the matrix over the channels that follows it, run as one."""

from typing import Any, NamedTuple

import torch
from torch import Tensor

from flowkit.bijector import Step
from flowkit.bijectors.actnorm import ActNorm
from flowkit.bijectors.channel_mixing import ChannelMixing
from flowkit.ops.inference_cache import applies
from flowkit.ops.precision import at_least_float32, without_autocast

__all__ = ["NormalizedMixing"]


class NormalizedMixing:
    r"""An actnorm and a matrix over the channels as one affine map of the channels.

    .. math:: z = W\,(x + b)\,e^{s} = W'x + W'b, \qquad W' = W \operatorname{diag}(e^{s})

    Two passes over the data, and what they leave in memory for the gradients, are spared. Without gradients and in
    evaluation mode :math:`W'` and its inverse are kept while the parameters stay; otherwise the inverse is that of the
    two, one after the other.

    Args:
        norm: the actnorm; it has its start.
        mixing: the matrix.

    References:
        D. P. Kingma, P. Dhariwal, "Glow: Generative Flow with Invertible 1x1 Convolutions", NeurIPS 2018, table 1.

    Examples:
        >>> from flowkit import Chain, LUConv1x1, initialize
        >>> from flowkit.bijectors.fused.table import joined
        >>> chain = Chain([ActNorm(3), LUConv1x1(3)])
        >>> initialize(chain, torch.rand(4, 3, 8, 8))
        >>> [type(part).__name__ for part in joined(chain.parts)]
        ['NormalizedMixing']
    """

    def __init__(self, norm: ActNorm, mixing: ChannelMixing) -> None:
        self.norm = norm
        self.mixing = mixing

    def prepare(self, context: Any) -> Any:
        """In evaluation mode the maps of both directions, made once, while the parameters stay; else nothing."""
        if self.norm.training or self.mixing.training:
            return None
        tensors = [*self.norm.parameters(), *self.mixing.parameters(), *self.mixing.buffers()]
        return self.mixing.with_norm.get(tensors, "maps", self._maps)

    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        with without_autocast(x.device):
            kept = isinstance(prepared, _Maps) and applies(x)
            return self._run(prepared.forward if kept else self._map(), x)

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        if isinstance(prepared, _Maps) and applies(z):
            return self._run(prepared.inverse, z)
        x, of_mixing = self.mixing._inverse(z, None)
        x, of_norm = self.norm._inverse(x, None)
        return x, of_mixing + of_norm

    def _steps(self, context: Any) -> list[Step]:
        return [*self.norm._steps(context), *self.mixing._steps(context)]

    def _run(self, map: "_Map", x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.to(torch.promote_types(x.dtype, torch.float32))
        return self.mixing._mix(map.matrix, x, map.shift), self.mixing._of_positions(map.log_abs_det, x)

    def _map(self) -> "_Map":
        bias, log_scale = map(at_least_float32, self.norm.constants())
        matrix = self.mixing._matrix() * log_scale.exp()
        return _Map(matrix, matrix @ bias, self.mixing._log_abs_det() + log_scale.sum())

    def _maps(self) -> "_Maps":
        forward = self._map()
        # In double precision and rounded once, the inverse is as good as solving.
        inverse = torch.linalg.inv(forward.matrix.double()).to(forward.matrix.dtype)
        return _Maps(forward, _Map(inverse, -at_least_float32(self.norm.bias.detach().clone()), -forward.log_abs_det))


class _Map(NamedTuple):
    """The matrix, what is added to its product, and log|det| of it."""

    matrix: Tensor
    shift: Tensor
    log_abs_det: Tensor


class _Maps(NamedTuple):
    forward: _Map
    inverse: _Map
