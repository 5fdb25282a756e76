"""How DeFlow's cost grows with the network, the image, the samples and the batch."""
