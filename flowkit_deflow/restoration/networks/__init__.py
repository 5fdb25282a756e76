"""Networks from degraded images to restored ones."""
