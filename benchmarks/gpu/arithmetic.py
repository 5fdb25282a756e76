"""The arithmetic in which networks are evaluated."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch

__all__ = ["ARITHMETICS", "HALF", "arithmetic"]

HALF = "bfloat16 autocast"
ARITHMETICS = ("float32", "TF32", HALF)
"""float32 throughout; float32 tensors multiplied in TF32; and networks in bfloat16, what is left of float32 in TF32."""


@contextmanager
def arithmetic(name: str, device: torch.device) -> Iterator[None]:
    """Compute as one of :data:`ARITHMETICS` says. On a CPU, TF32 is float32."""
    if name not in ARITHMETICS:
        raise ValueError(f"arithmetic {name!r} is unknown; there are {', '.join(ARITHMETICS)}")
    before = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    torch.set_float32_matmul_precision("highest" if name == "float32" else "high")
    torch.backends.cudnn.allow_tf32 = name != "float32"
    try:
        with torch.autocast(device.type, torch.bfloat16, enabled=name == HALF):
            yield
    finally:
        torch.set_float32_matmul_precision(before[0])
        torch.backends.cudnn.allow_tf32 = before[1]
