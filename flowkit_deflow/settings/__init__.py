"""What can be set: its schema, and presets."""
