"""Runs of ``deflow``, interrupted at random moments, that have to end as if nothing had happened."""
