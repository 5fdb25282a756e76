"""Families of flows beyond splines, affine couplings, MAF and Glow, in the libraries that have them."""
