"""Images: files, resizing, blur kernels, noise, tiles."""
