"""One model to a file, each a function of its name."""

__all__: list[str] = []
