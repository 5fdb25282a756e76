"""What the backward pass finds stored of a chain."""

__all__: list[str] = []
