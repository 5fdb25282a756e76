"""Whether shapes broadcast."""

from collections.abc import Sequence

__all__ = ["broadcasts_to"]


def broadcasts_to(shape: Sequence[int], target: Sequence[int]) -> bool:
    """Whether a tensor of one shape can be expanded to another.

    Args:
        shape: the tensor's.
        target: of at least as many dimensions, or the answer is no.

    Returns:
        The answer, in a form that ``torch.compile`` of every supported torch traces.

    Examples:
        >>> broadcasts_to((3, 1), (2, 3, 4)), broadcasts_to((2, 1), (2, 3, 4))
        (True, False)
    """
    missing = len(target) - len(shape)
    return missing >= 0 and all(size in (1, target[missing + i]) for i, size in enumerate(shape))
