"""The shift between the domains' latents: one kind to a file, asked at places of h for the Gaussian it has there."""
