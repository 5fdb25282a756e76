"""Memory that was freed: kept for the next image, or given back."""

import ctypes
import sys
from typing import Any

__all__ = ["give_back_freed_memory", "keep_freed_memory"]

# Of mallopt(3).
M_TRIM_THRESHOLD = -1
M_MMAP_MAX = -4
NEVER = -1


def keep_freed_memory() -> bool:
    """Let this process keep the memory that it frees: on a CPU, images and training steps take up to a fifth less time.

    The network makes and frees maps of some megabytes by the hundred. As it comes, glibc hands such memory back to the
    system, or not, by what was freed before; the system then clears it again, page by page. The ``deflow`` command
    calls this when it starts; a program that uses the library may do so too, before it makes large tensors. It holds
    for the whole process (``mallopt(3)``) and does not change what that needs at its peak.

    Returns:
        Whether it was possible: with glibc, that is on most Linux systems.

    Examples:
        >>> kept = keep_freed_memory()
    """
    mallopt = _of_glibc("mallopt")
    return mallopt is not None and all(
        mallopt(name, value) == 1
        # No blocks of their own from the system, however large, and nothing of the heap back to it.
        for name, value in ((M_MMAP_MAX, 0), (M_TRIM_THRESHOLD, NEVER))
    )


def give_back_freed_memory() -> None:
    """Give the memory that was freed back to the system, where the C library can (``malloc_trim(3)``)."""
    trim = _of_glibc("malloc_trim")
    if trim is not None:
        trim(0)


def _of_glibc(name: str) -> Any:
    return getattr(ctypes.CDLL(None), name, None) if sys.platform == "linux" else None
