"""Whether ``factor: auto`` and ``h_noise: auto`` choose well, on many kinds of degradation."""
