"""Image quality: one number for each image, with a reference or without."""
