"""The commands, one to a file: each reads its options and calls what does the work."""
