"""How numbers are multiplied fast: functions of tensors, which know no bijector and no module."""

from flowkit.ops.convolution import Convolution
from flowkit.ops.inference_cache import InferenceCache
from flowkit.ops.nearest_conv import nearest_conv2d
from flowkit.ops.packed_kernel import PackedKernel
from flowkit.ops.reasons import why_plain

__all__ = ["Convolution", "InferenceCache", "PackedKernel", "nearest_conv2d", "why_plain"]
