"""DeFlow's network: cost beside a plain evaluation of the same network."""
