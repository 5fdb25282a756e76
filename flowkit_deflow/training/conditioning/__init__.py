"""What h is to be: chosen from the images before training."""
