"""Wavelets."""

from flowkit.bijectors.haar import HaarWavelet
from flowkit.testing.case import Case, Draw, Entry
from flowkit.testing.catalogue.sizes import image_shape

__all__ = ["ENTRIES"]


def _haar(draw: Draw) -> Case:
    return Case(HaarWavelet, image_shape(draw, (1, 3), multiple=2))


ENTRIES: dict[str, Entry] = {
    "HaarWavelet": Entry("Haar wavelet", "Yu, Derpanis and Brubaker 2020", _haar),
}
