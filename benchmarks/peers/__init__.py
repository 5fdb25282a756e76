"""Time and memory of flowkit beside its peers on the same work: ``python -m benchmarks peers``."""
