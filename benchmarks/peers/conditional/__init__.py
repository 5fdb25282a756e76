"""Conditional flows of vectors, in the libraries that have them."""
