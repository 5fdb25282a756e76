"""Where the JSON holds a quantity of a set of images."""

from collections.abc import Callable

from flowkit_deflow.evaluation.image_set import ImageSet, ImageSets

__all__ = [
    "Place",
    "among_comparisons",
    "comparison_of_generated",
    "in_own_object",
    "once_in_fidelity",
    "with_fidelity",
]

Place = Callable[[str, ImageSet, ImageSets], tuple[str, str] | None]
"""From a quantity's key, a set and all sets: the JSON's object and the name in it; None if it is not kept."""


def in_own_object(key: str, images: ImageSet, sets: ImageSets) -> tuple[str, str] | None:
    """In the object of the set; what follows from a formula is left out."""
    return (images.key, key) if images.measured else None


def among_comparisons(key: str, images: ImageSet, sets: ImageSets) -> tuple[str, str] | None:
    """Among the comparisons: generated images by the key alone, other sets after their name, real ones not."""
    if images is sets.real:
        return None
    return ("comparison", key if images is sets.generated else f"{images.key}_{key}")


def comparison_of_generated(key: str, images: ImageSet, sets: ImageSets) -> tuple[str, str] | None:
    """Among the comparisons, for generated images alone."""
    return ("comparison", key) if images is sets.generated else None


def with_fidelity(key: str, images: ImageSet, sets: ImageSets) -> tuple[str, str] | None:
    """In the object ``fidelity``, after the name of the set."""
    return ("fidelity", f"{images.key}_{key}") if images.measured else None


def once_in_fidelity(key: str, images: ImageSet, sets: ImageSets) -> tuple[str, str] | None:
    """In the object ``fidelity``, once, for what is the same in all sets."""
    return ("fidelity", key) if images is sets.real else None
