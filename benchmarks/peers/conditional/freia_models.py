"""There are none in FrEIA.

Its couplings take conditions, but it has neither splines nor autoregressive layers, and no matrix in LU form to stand
between the couplings of RealNVP.
"""
