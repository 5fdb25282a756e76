"""Bijectors from what data lie on (boxes, simplices, spheres, ...) onto vectors of real numbers, or onto itself."""

__all__: list[str] = []
