"""The exceptions that checks raise."""

import math

__all__ = ["ContractViolation", "NotApplicable"]


class ContractViolation(AssertionError):  # noqa: N818 - named after what happened
    """A bijector breaks a property of the contract.

    Args:
        message: what was found, with figures and shapes.
        figure: the error, in the property's own unit; infinite for a property that holds or does not.

    Examples:
        >>> raise ContractViolation("shapes: the log-determinant has the shape (), the batch is (3,)")
        Traceback (most recent call last):
        ...
        flowkit.testing.violation.ContractViolation: shapes: the log-determinant has the shape (), the batch is (3,)
    """

    def __init__(self, message: str, figure: float = math.inf) -> None:
        super().__init__(message)
        self.figure = figure


class NotApplicable(Exception):  # noqa: N818 - not an error: the check has nothing to look at
    """A property does not apply to a bijector; the message is the reason.

    Examples:
        >>> raise NotApplicable("it takes no context")
        Traceback (most recent call last):
        ...
        flowkit.testing.violation.NotApplicable: it takes no context
    """
