"""How restoration networks are trained."""
