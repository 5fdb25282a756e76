"""The libraries of the feature table: their versions, their sources, and the names that the code of a cell uses."""

from collections.abc import Mapping

__all__ = ["DATE", "DISTRIBUTIONS", "PACKAGES", "SETUP"]

DATE = "29 November 2026"
"""When the libraries were looked at."""

DISTRIBUTIONS: Mapping[str, Mapping[str, str]] = {
    "flowkit": {"flowkit-core": "0.2.0"},
    "nflows": {"nflows": "0.14"},
    "normflows": {"normflows": "1.7.3"},
    "zuko": {"zuko": "1.6.0"},
    "FrEIA": {"FrEIA": "0.2"},
    "flowjax": {"flowjax": "19.1.2"},
    "distrax/TFP": {"distrax": "0.1.9", "tensorflow-probability": "0.25.0"},
}
"""What was looked at: each library's distributions, and their versions."""

PACKAGES: Mapping[str, tuple[str, ...]] = {
    "flowkit": ("flowkit",),
    "nflows": ("nflows",),
    "normflows": ("normflows",),
    "zuko": ("zuko",),
    "FrEIA": ("FrEIA",),
    "flowjax": ("flowjax",),
    "distrax/TFP": ("distrax", "tensorflow_probability/python"),
}
"""Folders of their sources, below the one that packages are installed in."""

TORCH = """
import torch
from torch import nn

torch.manual_seed(0)
x, c = torch.randn(8, 2), torch.randn(8, 3)
image = torch.rand(4, 2, 4, 4)
target = lambda x: -x.square().sum(-1)
"""

SETUP: Mapping[str, str] = {
    "flowkit": f"""{TORCH}
import flowkit
from flowkit import Coupling, Elementwise, Flow, StandardNormal
from flowkit import bijectors as fb
from flowkit import distributions as fd
from flowkit import interop, losses, surjections
from flowkit import transforms as ft

flow = flowkit.realnvp(2, layers=2, hidden=(8,))
conditional = flowkit.maf(2, layers=1, hidden=(8,), context_features=3)
log_prob = flow.log_prob
""",
    "nflows": f"""{TORCH}
from nflows import distributions as nd
from nflows import flows as nfl
from nflows import transforms as nt

flow = nfl.SimpleRealNVP(2, 8, 2, 1)
log_prob = flow.log_prob
""",
    "normflows": f"""{TORCH}
import normflows as nf

layers = [nf.flows.AffineCouplingBlock(nf.nets.MLP([1, 8, 2], init_zeros=True)), nf.flows.Permute(2)]
flow = nf.NormalizingFlow(nf.distributions.DiagGaussian(2), layers, nf.distributions.TwoMoons())
log_prob = flow.log_prob
""",
    "zuko": f"""{TORCH}
import zuko

flow = zuko.flows.RealNVP(2, transforms=2, hidden_features=(8,))


def log_prob(x):
    return flow().log_prob(x)


def onto(transform):
    # A flow whose data lie where a transform of torch takes real numbers to.
    return zuko.flows.Flow([zuko.flows.UnconditionalTransform(lambda: transform.inv, buffer=True)], flow.base)
""",
    "FrEIA": f"""{TORCH}
import FrEIA.framework as Ff
import FrEIA.modules as Fm


def subnet(channels_in, channels_out):
    return nn.Sequential(nn.Linear(channels_in, 8), nn.ReLU(), nn.Linear(8, channels_out))


inn = Ff.SequenceINN(2)
inn.append(Fm.GLOWCouplingBlock, subnet_constructor=subnet)


def log_prob(x):
    z, log_det = inn(x)
    return log_det - 0.5 * z.square().sum(1)
""",
}
"""For each library that is installed where tests run, what stands before the code of its cells."""
