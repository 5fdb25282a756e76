"""Bijectors: one family to a file."""

from flowkit.bijectors.actnorm import ActNorm, initialize
from flowkit.bijectors.chain import Chain
from flowkit.bijectors.channels import ChannelBijector
from flowkit.bijectors.context_map import ContextMap
from flowkit.bijectors.coupling import Coupling
from flowkit.bijectors.factor_out import FactorOut
from flowkit.bijectors.injector import Injector
from flowkit.bijectors.inverse import Inverse
from flowkit.bijectors.invertible_conv import Conv1x1, LUConv1x1
from flowkit.bijectors.multiscale import MultiScale
from flowkit.bijectors.squeeze import Squeeze

__all__ = [
    "ActNorm",
    "Chain",
    "ChannelBijector",
    "ContextMap",
    "Conv1x1",
    "Coupling",
    "FactorOut",
    "Injector",
    "Inverse",
    "LUConv1x1",
    "MultiScale",
    "Squeeze",
    "initialize",
]
