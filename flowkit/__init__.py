"""Normalizing flows in PyTorch: bijectors under one contract, and what joins them to densities."""

from flowkit.bijector import REAL_LINE, Bijector, BoundBijector, Interval, Shape, Wrapper, sum_event
from flowkit.bijectors import (
    ActNorm,
    Chain,
    ChannelBijector,
    ContextMap,
    Conv1x1,
    Coupling,
    FactorOut,
    Injector,
    Inverse,
    LUConv1x1,
    MultiScale,
    Squeeze,
    initialize,
)
from flowkit.dequantization import UniformDequantization
from flowkit.distributions import (
    Distribution,
    Factorised,
    Gaussian,
    StandardNormal,
    gaussian_log_prob,
    normal_like,
)
from flowkit.flow import Flow, bits_per_dim
from flowkit.nn import ConvConditioner, ZeroConv2d
from flowkit.plugins import Plugin, create_model, list_models, plugins
from flowkit.transforms import Additive, Affine, BoundedLogScale, SigmoidScale, Transform, split_parameters

__version__ = "0.1.0"

__all__ = [
    "REAL_LINE",
    "ActNorm",
    "Additive",
    "Affine",
    "Bijector",
    "BoundBijector",
    "BoundedLogScale",
    "Chain",
    "ChannelBijector",
    "ContextMap",
    "Conv1x1",
    "ConvConditioner",
    "Coupling",
    "Distribution",
    "FactorOut",
    "Factorised",
    "Flow",
    "Gaussian",
    "Injector",
    "Interval",
    "Inverse",
    "LUConv1x1",
    "MultiScale",
    "Plugin",
    "Shape",
    "SigmoidScale",
    "Squeeze",
    "StandardNormal",
    "Transform",
    "UniformDequantization",
    "Wrapper",
    "ZeroConv2d",
    "bits_per_dim",
    "create_model",
    "gaussian_log_prob",
    "initialize",
    "list_models",
    "normal_like",
    "plugins",
    "split_parameters",
    "sum_event",
]
