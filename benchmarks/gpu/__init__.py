"""All that there is to measure on a GPU, in one command: ``python -m benchmarks gpu``."""
