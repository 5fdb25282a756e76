"""Weights of others: published checkpoints, RRDB encoders."""
