"""Neighbours in a chain that run as one."""
