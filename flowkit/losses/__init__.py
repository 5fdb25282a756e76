"""What flows are trained on: divergences from data and from densities, and bounds by importance weights."""

from flowkit.losses.importance import effective_sample_size, importance_weighted_bound, log_importance_weights
from flowkit.losses.likelihood import forward_kl
from flowkit.losses.renyi import alpha_divergence
from flowkit.losses.variational import reverse_kl

__all__ = [
    "alpha_divergence",
    "effective_sample_size",
    "forward_kl",
    "importance_weighted_bound",
    "log_importance_weights",
    "reverse_kl",
]
