r"""
Together with nflows and Pyro
=============================

Nobody has to move house to use a library. A transform of nflows is a bijector here, and a flowkit bijector a transform
there; a flow is a distribution for ``torch.distributions`` and for Pyro. Two short tours: one through nflows, with
models of mixed descent, and one through Pyro, where a flow is the guide of a posterior that no Gaussian can follow.
"""

# %%
# nflows inside flowkit
# ---------------------
#
# :class:`~flowkit.interop.nflows.FromNflows` makes a bijector of any transform of nflows. Both libraries normalise in
# their ``forward``, so nothing has to be turned round. Here nflows' masked autoregressive splines stand in a chain
# with flowkit's learned matrix, and their parameters train together.

# sphinx_gallery_thumbnail_number = 2
import math

import matplotlib.pyplot as plt
import torch
from nflows.transforms import (
    MaskedPiecewiseRationalQuadraticAutoregressiveTransform,
)
from sklearn.datasets import make_moons

from flowkit import Chain, Flow, LULinear, StandardNormal
from flowkit.interop.nflows import FromNflows, flow_to_nflows

torch.manual_seed(0)
points = torch.from_numpy(make_moons(3000, noise=0.06, random_state=0)[0]).float()
points = (points - points.mean(0)) / points.std(0)


def spline() -> FromNflows:
    """A layer of nflows, as a bijector."""
    return FromNflows(
        MaskedPiecewiseRationalQuadraticAutoregressiveTransform(
            features=2,
            hidden_features=32,
            num_bins=8,
            tails="linear",
            tail_bound=4.0,
        )
    )


flow = Flow(
    Chain([spline(), LULinear(2), spline(), LULinear(2)]),
    StandardNormal(),
    event_shape=(2,),
)
optimizer = torch.optim.Adam(flow.parameters(), lr=5e-3)
for _ in range(250):
    loss = -flow.log_prob(points[torch.randint(len(points), (256,))]).mean()
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
flow.eval()
print(f"log-likelihood: {-loss.item():.2f} nats")

# %%
# flowkit inside nflows
# ---------------------
#
# The other way round, :func:`~flowkit.interop.nflows.flow_to_nflows` makes an ``nflows.flows.Flow`` of it, for
# programs that expect one. It shares the parameters, and gives the same numbers.

as_nflows = flow_to_nflows(flow)
with torch.no_grad():
    difference = (
        (as_nflows.log_prob(points[:100]) - flow.log_prob(points[:100])).abs().max()
    )
    samples = as_nflows.sample(2000)
print(f"{type(as_nflows).__module__}.{type(as_nflows).__name__}")
print(f"largest difference of log-densities: {difference:.0e}")

x, y = torch.meshgrid(
    torch.linspace(-2.4, 2.4, 160), torch.linspace(-2.4, 2.4, 160), indexing="xy"
)
with torch.no_grad():
    density = flow.log_prob(torch.stack([x, y], dim=-1)).exp()
figure, axes = plt.subplots(
    1, 3, figsize=(11, 4.3), layout="constrained", sharex=True, sharey=True
)
axes[0].scatter(*points[:2000].T, s=2, color="black")
axes[0].set_title("data")
axes[1].pcolormesh(x, y, density, cmap="magma", rasterized=True)
axes[1].set_title("density: flowkit, with layers of nflows")
axes[2].scatter(*samples.T, s=2, color="tab:purple")
axes[2].set_title("samples: nflows, given the flow")
for axis in axes:
    axis.set(
        xlim=(-2.4, 2.4), ylim=(-2.4, 2.4), xticks=[], yticks=[], aspect="equal"
    )

# %%
# A flow as Pyro's guide
# ----------------------
#
# Of two numbers only the product was measured, :math:`a b = 1 \pm 0.3`. Their posterior lies along both branches of a
# hyperbola: if :math:`a` is large, :math:`b` is small, and both may be negative. Variational inference fits a *guide*
# to the posterior. Pyro's usual one has independent normals; :class:`flowkit.interop.pyro.FlowDistribution` makes one
# of any flow.

import pyro
import pyro.distributions as dist
from pyro.infer import SVI, Trace_ELBO
from pyro.infer.autoguide import AutoNormal

from flowkit import create_model
from flowkit.interop.pyro import FlowDistribution

PRIOR, NOISE, MEASURED = 1.5, 0.3, torch.tensor(1.0)


def model() -> None:
    """Two numbers, and the measurement of their product."""
    numbers = pyro.sample("numbers", dist.Normal(torch.zeros(2), PRIOR).to_event(1))
    pyro.sample("product", dist.Normal(numbers.prod(-1), NOISE), obs=MEASURED)


posterior = create_model("nsf", features=2, layers=4, hidden=(32, 32), bound=5.0)


def flow_guide() -> None:
    """The flow; ``pyro.module`` tells Pyro of its parameters."""
    pyro.module("posterior", posterior)
    pyro.sample("numbers", FlowDistribution(posterior))


def fit(guide: object, learning_rate: float, steps: int = 450) -> list[float]:
    """Maximise the evidence lower bound; returns its values."""
    inference = SVI(
        model,
        guide,
        pyro.optim.Adam({"lr": learning_rate}),
        Trace_ELBO(num_particles=100, vectorize_particles=True),
    )
    return [-inference.step() for _ in range(steps)]


pyro.set_rng_seed(1)
bounds = {"flow guide": fit(flow_guide, 5e-3)}
normal_guide = AutoNormal(model)
bounds["normal guide"] = fit(normal_guide, 2e-2)

# %%
# In two dimensions the posterior can be had on a grid, to compare. The bound tells the guides apart by itself: it is
# the logarithm of the evidence less the guide's divergence from the posterior, so higher is better, and the
# log-evidence is the most that can be reached.

axis = torch.linspace(-4, 4, 300)
a, b = torch.meshgrid(axis, axis, indexing="xy")
joint = (
    dist.Normal(0.0, PRIOR).log_prob(a)
    + dist.Normal(0.0, PRIOR).log_prob(b)
    + dist.Normal(a * b, NOISE).log_prob(MEASURED)
)
cell = (8 / 299) ** 2
evidence = (joint.logsumexp((0, 1)) + math.log(cell)).item()
print(
    f"log-evidence {evidence:.2f};",
    ", ".join(f"{name}: {sum(v[-50:]) / 50:.2f}" for name, v in bounds.items()),
)

with torch.no_grad():
    drawn = {
        "flow guide": posterior.sample(3000),
        "normal guide": torch.stack(
            [normal_guide()["numbers"] for _ in range(1000)]
        ),
    }
figure, axes = plt.subplots(
    1, 3, figsize=(11, 4.3), layout="constrained", sharex=True, sharey=True
)
axes[0].pcolormesh(a, b, joint.exp(), cmap="magma", rasterized=True)
axes[0].set_title("posterior, on a grid")
for axis, (name, values) in zip(axes[1:], drawn.items(), strict=True):
    axis.contour(
        a,
        b,
        joint.exp() / joint.exp().max(),
        levels=[0.1, 0.3, 0.6, 0.9],
        colors="gray",
        linewidths=0.7,
    )
    axis.scatter(*values.T, s=2, color="tab:purple", alpha=0.6)
    axis.set_title(f"{name}, bound {sum(bounds[name][-50:]) / 50:.2f}")
for axis in axes:
    axis.set(xlim=(-4, 4), ylim=(-4, 4), xlabel="a", aspect="equal")
axes[0].set_ylabel("b")
