"""How numbers are multiplied fast: functions of tensors, which know no bijector and no module."""

from flowkit.ops.convolution import conv2d
from flowkit.ops.nearest_conv import nearest_conv2d

__all__ = ["conv2d", "nearest_conv2d"]
