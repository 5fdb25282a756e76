"""The tolerances that several properties share."""

__all__ = ["EXACT", "ROUNDING", "YES_OR_NO"]

# In float64, relative to one plus the value: far above what rounding costs, far below what a mistake does.
ROUNDING = 1e-8
EXACT = 0.0
YES_OR_NO = "it holds or it does not: nothing is rounded"
