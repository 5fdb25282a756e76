"""Checks of sizes."""

from numbers import Integral
from typing import Any

__all__ = ["require_counts", "require_widths"]


def require_counts(least: int, **sizes: Any) -> None:
    """Refuse sizes that are not integers or are too small, before they fail deep inside a layer.

    Args:
        least: the smallest size allowed.
        sizes: the sizes, keyed by the names of their settings.

    Raises:
        TypeError: a size is no integer.
        ValueError: a size is too small.

    Examples:
        >>> require_counts(1, features=2, layers=0)
        Traceback (most recent call last):
        ...
        ValueError: layers is 0; it must be at least 1
    """
    for name, size in sizes.items():
        if not isinstance(size, Integral) or isinstance(size, bool):
            raise TypeError(f"{name} is {size!r}; it must be an integer")
        if size < least:
            raise ValueError(f"{name} is {size}; it must be at least {least}")


def require_widths(hidden: Any, name: str = "hidden") -> None:
    """Refuse anything but a sequence of widths of hidden layers.

    Args:
        hidden: the widths.
        name: of the setting.

    Raises:
        TypeError: it is no list or tuple, or holds anything but integers.
        ValueError: a width is under 1.

    Examples:
        >>> require_widths(64)
        Traceback (most recent call last):
        ...
        TypeError: hidden is 64; it must be a list or tuple of widths
    """
    if not isinstance(hidden, list | tuple):
        raise TypeError(f"{name} is {hidden!r}; it must be a list or tuple of widths")
    for index, width in enumerate(hidden):
        require_counts(1, **{f"{name}[{index}]": width})
