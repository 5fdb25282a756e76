"""Who made the processor: what libraries do well depends on it."""

import platform
from functools import lru_cache
from pathlib import Path

import torch

__all__ = ["mkl_is_slow", "processor_vendor"]


@lru_cache(maxsize=1)
def processor_vendor() -> str:
    """The vendor as the processor names itself, ``AuthenticAMD`` or ``GenuineIntel``; empty where it is not told.

    Examples:
        >>> isinstance(processor_vendor(), str)
        True
    """
    told = Path("/proc/cpuinfo")
    if told.exists():
        with told.open(encoding="utf-8", errors="replace") as lines:
            return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("vendor_id")), "")
    # On Windows: "AMD64 Family 25 Model 80 Stepping 0, AuthenticAMD".
    return platform.processor().rpartition(", ")[2]


def mkl_is_slow() -> bool:
    """Whether PyTorch multiplies matrices by MKL on a processor of AMD's, of whose speed MKL uses about half.

    Examples:
        >>> mkl_is_slow() and not torch.backends.mkl.is_available()
        False
    """
    return torch.backends.mkl.is_available() and processor_vendor() == "AuthenticAMD"
