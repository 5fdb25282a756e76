"""Degraders that are trained against a discriminator."""
