"""Image flows by name on small images, at about equal parameters: Glow, Jet and TarFlow."""
