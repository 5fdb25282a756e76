"""Sums that are kept apart for each clean image.

Real and generated images of one clean image can be compared with each other; several samples of it are one image.
"""

from collections import defaultdict
from collections.abc import Mapping
from typing import TypeVar

from torch import Tensor

from flowkit_deflow.evaluation.pair import Pair
from flowkit_deflow.evaluation.statistic import Sums

__all__ = ["by_image", "of_image", "shared_images"]

T = TypeVar("T")


def of_image(pair: Pair, sums: Sums) -> Sums:
    """The sums under the name of the pair's clean image; none if that image is not in both sets."""
    return {} if pair.clean is None else {f"{name} {pair.clean}": value for name, value in sums.items()}


def by_image(sums: Sums) -> Mapping[str, Mapping[str, Tensor]]:
    """The sums by their name, then by clean image, in the order of the images' names."""
    found: dict[str, dict[str, Tensor]] = defaultdict(dict)
    for key, value in sorted(sums.items()):
        name, clean = key.split(" ", 1)
        found[name][clean] = value
    return found


def shared_images(values: Mapping[str, T], other: Mapping[str, object]) -> dict[str, T]:
    """The entries of the clean images that the other set has as well."""
    return {clean: value for clean, value in values.items() if clean in other}
