"""The samplers in flowkit: those it has by name.

=== ===================================================================================
nsf widths, heights and slopes of 0.001 at least; starts as the identity
iaf the log-scale is 2 tanh(a / 2), a reversal after each layer; starts as the identity
=== ===================================================================================
"""

from dataclasses import asdict
from functools import partial

from benchmarks.density.architectures import Masked, Spline
from benchmarks.inference.sampler import Sampler
from flowkit import Flow, Inverse
from flowkit import models as named
from flowkit.interop.pyro import BijectorTransform
from flowkit.losses import reverse_kl

__all__ = ["iaf", "nsf"]


def nsf(features: int, settings: Spline) -> Sampler:
    return _sampler(named.nsf(features, **asdict(settings)))


def iaf(features: int, settings: Masked) -> Sampler:
    return _sampler(named.iaf(features, **asdict(settings)))


def _sampler(flow: Flow) -> Sampler:
    return Sampler(
        flow,
        flow.rsample_and_log_prob,
        partial(reverse_kl, flow),
        lambda: BijectorTransform(Inverse(flow.bijector), cache_size=1),
    )
