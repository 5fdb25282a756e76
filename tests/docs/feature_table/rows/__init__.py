"""The rows of the feature table, by section."""

from collections.abc import Mapping

from tests.docs.feature_table.cells import Row
from tests.docs.feature_table.rows import families, other_families, supports, training, trust, using

__all__ = ["SECTIONS"]

SECTIONS: Mapping[str, tuple[Row, ...]] = {
    "Using a flow": using.ROWS,
    "Layers of one's own, saving, other libraries": trust.ROWS,
    "What data lie on": supports.ROWS,
    "Couplings and autoregressive flows": families.ROWS,
    "Other families": other_families.ROWS,
    "Training, and torch": training.ROWS,
}
