"""What is watched in training, without pairs, on images held out: one quantity to a file."""
