"""Degradations that people wrote down instead of learning them: blur, resizing, noise, JPEG, and pipelines of them."""
