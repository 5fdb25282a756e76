"""The samplers in zuko.

=== ==============================================================================================================
nsf soft bounds on the logits of bins and slopes, its default; matrices without an offset
iaf the inverse of its MAF; the log-scale is a / (1 + abs(a) / 6.9), its default; every second layer's masks have the
    reversed order, so that no feature moves
=== ==============================================================================================================
"""

from typing import Any

from pyro.distributions import constraints
from pyro.distributions.torch_transform import TransformModule
from torch import Tensor
from zuko.flows import MAF, Flow
from zuko.lazy import LazyInverse

from benchmarks.density import zuko_models as known
from benchmarks.density.architectures import Masked, Spline
from benchmarks.inference.sampler import Sampler, divergence

__all__ = ["iaf", "nsf"]


def nsf(features: int, settings: Spline) -> Sampler:
    return _sampler(known.nsf((features,), settings).module)


def iaf(features: int, settings: Masked) -> Sampler:
    flow = MAF(features, transforms=settings.layers, hidden_features=settings.hidden)
    return _sampler(Flow(LazyInverse(flow.transform), flow.base))


def _sampler(flow: Any) -> Sampler:
    def draw(number: int) -> tuple[Tensor, Tensor]:
        return flow().rsample_and_log_prob((number,))

    return Sampler(flow, draw, divergence(draw), lambda: _Transport(flow))


class _Transport(TransformModule):
    """zuko's transform with the log-determinant of its last call kept: asked for it, zuko's own calls again."""

    bijective = True
    domain = constraints.real_vector
    codomain = constraints.real_vector

    def __init__(self, flow: Any) -> None:
        super().__init__(cache_size=1)
        self._transform = flow.transform().inv

    def _call(self, z: Tensor) -> Tensor:
        x, self._log_det = self._transform.call_and_ladj(z)
        return x

    def log_abs_det_jacobian(self, z: Tensor, x: Tensor) -> Tensor:
        if z is not self._cached_x_y[0]:
            self(z)
        return self._log_det
