"""Neighbours in a chain that run as one."""

__all__: list[str] = []
