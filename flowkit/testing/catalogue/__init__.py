"""The table that drives the checks: a family to a file."""

from flowkit.testing.case import Entry
from flowkit.testing.catalogue import (
    autoregressive,
    compositions,
    continuous,
    coupling,
    elementwise,
    families,
    image,
    linear,
    models,
    monotone,
    planar,
    residual,
    structure,
    supports,
    transformer,
    wavelet,
)

__all__ = ["CATALOGUE"]

# Every bijector of the package, by name.
CATALOGUE: dict[str, Entry] = {
    **elementwise.ENTRIES,
    **monotone.ENTRIES,
    **linear.ENTRIES,
    **coupling.ENTRIES,
    **autoregressive.ENTRIES,
    **transformer.ENTRIES,
    **planar.ENTRIES,
    **residual.ENTRIES,
    **continuous.ENTRIES,
    **wavelet.ENTRIES,
    **families.ENTRIES,
    **image.ENTRIES,
    **structure.ENTRIES,
    **supports.ENTRIES,
    **compositions.ENTRIES,
    **models.ENTRIES,
}
