"""The table that drives the checks: a family to a file."""

__all__: list[str] = []
