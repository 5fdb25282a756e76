"""Training: crops, loader, Lightning module, checkpoints."""
