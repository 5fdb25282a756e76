"""How numbers are computed: functions of tensors, which know no bijector and no module."""

from flowkit.ops.precision import at_least_float32, without_autocast
from flowkit.ops.values import readable, require_values

__all__ = ["at_least_float32", "readable", "require_values", "without_autocast"]
