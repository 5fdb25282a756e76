"""What the backward pass finds stored of a chain."""
