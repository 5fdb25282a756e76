"""Restoration networks, trained on pairs of clean and degraded images."""
