"""Measurements of flowkit beside other flow libraries: ``python -m benchmarks COMMAND``.

A package ``benchmarks/COMMAND`` for each command; what it records is in ``benchmarks/results``, and the pages made from
that are in ``docs/benchmarks``.
"""
