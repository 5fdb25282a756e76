"""Shortcuts of a class, and subclasses that override what they stand for."""

from collections.abc import Iterable

__all__ = ["drop_outdated"]


def drop_outdated(cls: type, base: type, shortcuts: Iterable[str], stand_for: Iterable[str]) -> None:
    """Give a class its base's attributes in place of shortcuts for what it overrides.

    Args:
        cls: the class, just made.
        base: the class whose shortcuts are right for every subclass.
        shortcuts: names of attributes that some subclasses of ``base`` override.
        stand_for: names of methods; a shortcut goes where ``cls``, a class between or a mix-in overrides one of them
            nearer to ``cls``, in the order in which methods are looked up: it no longer says what runs.

    Examples:
        >>> class Base:
        ...     def parts(self): return [self]
        ...     def run(self): return 1
        >>> class Two(Base):
        ...     def parts(self): return [1, 1]
        ...     def run(self): return 2
        >>> class Three(Two):
        ...     def run(self): return 3
        >>> drop_outdated(Three, Base, ["parts"], ["run"])
        >>> Three.parts is Base.parts
        True
    """

    def distance(name: str) -> int:
        return next(index for index, owner in enumerate(cls.__mro__) if name in vars(owner))

    nearest = min(distance(name) for name in stand_for)
    for shortcut in shortcuts:
        if distance(shortcut) > nearest:
            setattr(cls, shortcut, vars(base)[shortcut])
