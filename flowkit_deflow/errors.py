"""The one exception whose text is meant for the person at the keyboard."""

from collections.abc import Iterable

__all__ = ["UserError", "listed"]


class UserError(Exception):
    """A mistake in what was asked for: its message is one line that names the thing and says what to do next.

    The command line prints the message and exits with status 2, without a traceback; from Python it is an
    ordinary exception.

    Examples:
        >>> raise UserError("preset 'smal' is unknown; did you mean 'small'?")
        Traceback (most recent call last):
        ...
        flowkit_deflow.errors.UserError: preset 'smal' is unknown; did you mean 'small'?
    """


def listed(names: Iterable[str], conjunction: str) -> str:
    """Names as a sentence lists them.

    Examples:
        >>> listed(["aim", "ntire", "dped"], "or")
        'aim, ntire or dped'
    """
    *before, last = names
    return f"{', '.join(before)} {conjunction} {last}" if before else last
