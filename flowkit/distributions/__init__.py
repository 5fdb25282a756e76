"""Base distributions: they score the whole tuple of latents."""

from flowkit.distributions.distribution import Distribution, normal_like
from flowkit.distributions.factorised import Factorised
from flowkit.distributions.gaussian import Gaussian, gaussian_log_prob
from flowkit.distributions.standard_normal import StandardNormal

__all__ = ["Distribution", "Factorised", "Gaussian", "StandardNormal", "gaussian_log_prob", "normal_like"]
