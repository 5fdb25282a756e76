"""One model to a file, each a function of its name."""
