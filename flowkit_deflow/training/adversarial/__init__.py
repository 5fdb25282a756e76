"""What adversarial trainings have in common."""
