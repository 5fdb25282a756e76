"""The method: encoder, flow, latents, the model."""
