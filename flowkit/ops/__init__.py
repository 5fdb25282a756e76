"""How numbers are multiplied fast: functions of tensors, which know no bijector and no module."""

__all__: list[str] = []
