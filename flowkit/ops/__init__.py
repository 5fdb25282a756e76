"""How numbers are computed: functions of tensors, which know no bijector and no module."""

from flowkit.ops.convolution import conv2d
from flowkit.ops.nearest_conv import nearest_conv2d
from flowkit.ops.precision import at_least_float32, without_autocast
from flowkit.ops.root_finding import monotone_root
from flowkit.ops.values import readable, require_values

__all__ = [
    "at_least_float32",
    "conv2d",
    "monotone_root",
    "nearest_conv2d",
    "readable",
    "require_values",
    "without_autocast",
]
