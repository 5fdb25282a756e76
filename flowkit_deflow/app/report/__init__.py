"""The report on a run: what was set, how the training went, what the model makes of images that it never saw."""
