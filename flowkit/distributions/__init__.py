"""Base distributions: they score the whole tuple of latents."""

from flowkit.distributions.blockwise import Blockwise
from flowkit.distributions.channels import ChannelDistribution
from flowkit.distributions.class_conditional import ClassConditional
from flowkit.distributions.conditional_normal import ConditionalNormal
from flowkit.distributions.diagonal_normal import DiagonalNormal
from flowkit.distributions.distribution import Distribution, normal_like
from flowkit.distributions.factorised import Factorised
from flowkit.distributions.gaussian import Gaussian, gaussian_log_prob
from flowkit.distributions.low_rank_normal import LowRankNormal
from flowkit.distributions.mixture import Mixture
from flowkit.distributions.picking import pick
from flowkit.distributions.resampled import Normaliser, Resampled
from flowkit.distributions.standard_normal import StandardNormal
from flowkit.distributions.student_t import StudentT
from flowkit.distributions.torch_distribution import TorchDistribution
from flowkit.distributions.uniform import Uniform
from flowkit.distributions.uniform_sphere import UniformSphere
from flowkit.distributions.uniform_torus import UniformTorus

__all__ = [
    "Blockwise",
    "ChannelDistribution",
    "ClassConditional",
    "ConditionalNormal",
    "DiagonalNormal",
    "Distribution",
    "Factorised",
    "Gaussian",
    "LowRankNormal",
    "Mixture",
    "Normaliser",
    "Resampled",
    "StandardNormal",
    "StudentT",
    "TorchDistribution",
    "Uniform",
    "UniformSphere",
    "UniformTorus",
    "gaussian_log_prob",
    "normal_like",
    "pick",
]
