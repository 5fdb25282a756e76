"""The contract as a public check: anyone's bijector, property by property."""

from flowkit.testing.case import Case, Draw, Entry

__all__ = ["Case", "Draw", "Entry"]
