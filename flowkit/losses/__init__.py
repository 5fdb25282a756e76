"""What flows are trained on: divergences from data and from densities, bounds, and flow matching."""

from flowkit.losses.flow_matching import conditional_flow_matching
from flowkit.losses.importance import effective_sample_size, importance_weighted_bound, log_importance_weights
from flowkit.losses.likelihood import forward_kl
from flowkit.losses.renyi import alpha_divergence
from flowkit.losses.transport import ExactTransport, SinkhornTransport, Transport
from flowkit.losses.variational import reverse_kl

__all__ = [
    "ExactTransport",
    "SinkhornTransport",
    "Transport",
    "alpha_divergence",
    "conditional_flow_matching",
    "effective_sample_size",
    "forward_kl",
    "importance_weighted_bound",
    "log_importance_weights",
    "reverse_kl",
]
