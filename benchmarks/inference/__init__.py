"""Flows where densities or simulators are given, beside zuko's and Pyro's: ``python -m benchmarks inference``."""
