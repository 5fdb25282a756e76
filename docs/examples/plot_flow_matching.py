r"""
Flow matching
=============

A continuous flow carries data to a Gaussian along a vector field. To train it by its likelihood, a differential
equation is solved at every step. Flow matching needs none: draw a datum, a latent and a time, and let the field at the
place between the two point from the one to the other. What it learns is the mean of all such directions, and that is a
field which carries the one distribution to the other.
"""

# %%
# The data
# --------
#
# Two half moons, and for each point which of them it is on.

# sphinx_gallery_thumbnail_number = 1
import math
import time

import matplotlib.pyplot as plt
import torch
from torch import Tensor


def moons(samples: int) -> tuple[Tensor, Tensor]:
    """Points, ``samples x 2``, and the moon of each, ``samples x 1``."""
    which = torch.randint(2, (samples, 1)).float()
    angle = math.pi * torch.rand(samples, 1)
    sign = 1 - 2 * which
    points = sign * torch.cat([angle.cos() - 0.5, angle.sin() - 0.25], -1)
    return 1.2 * points + 0.1 * torch.randn(samples, 2), which


torch.manual_seed(0)
(train, train_moon), (test, test_moon) = moons(4000), moons(2000)

# %%
# Training
# --------
#
# :func:`flowkit.losses.conditional_flow_matching` is the loss. Which latent goes with which datum is free, as long as
# all data and all latents are used alike: pairs by optimal transport within the batch give ways that hardly cross. The
# moon is the context; points change latents only with others of their moon.

from flowkit import flow_matching
from flowkit.losses import SinkhornTransport, conditional_flow_matching

STEPS, BATCH = 500, 256


def trained(transport: SinkhornTransport | None) -> torch.nn.Module:
    """A flow fitted to the moons."""
    torch.manual_seed(0)
    flow = flow_matching(2, hidden=(64, 64), context_features=1, steps=12)
    optimizer = torch.optim.Adam(flow.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    for _ in range(STEPS):
        rows = torch.randint(len(train), (BATCH,))
        loss = conditional_flow_matching(
            flow, train[rows], train_moon[rows], transport=transport
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    return flow.eval()


flows = {}
for name, transport in {
    "at random": None,
    "by transport": SinkhornTransport(),
}.items():
    start = time.perf_counter()
    flows[name] = trained(transport)
    print(f"{name}: {time.perf_counter() - start:.0f} s")

# %%
# Densities, samples and ways
# ---------------------------
#
# The likelihood is that of the equation's solution, and the density adds up to one. For points whose moon is unknown
# it is the mean of the two. Right: samples on their way from latents to data.

line = torch.linspace(-3, 3, 120)
x, y = torch.meshgrid(line, line, indexing="xy")
grid = torch.stack([x, y], -1)
both = torch.tensor([[0.0], [1.0]])
figure, axes = plt.subplots(
    2, 2, figsize=(8, 7.6), layout="constrained", sharex=True, sharey=True
)
for (left, right), (name, flow) in zip(axes, flows.items(), strict=True):
    with torch.no_grad():
        density = flow.log_prob(grid[..., None, :], both).exp().mean(-1)
        held_out = flow.log_prob(test, test_moon).mean().item()
        latents = torch.randn(60, 2, 2)
        ways = [latents]
        ode = flow.bijector
        for step in range(24, 0, -1):
            time_ = torch.full((60, 2, 1), step / 24)
            ways.append(ways[-1] - ode.velocity(time_, ways[-1], both) / 24)
    area = (line[1] - line[0]).item() ** 2
    print(
        f"{name}: {held_out:.2f} nats held out, total {density.sum().item() * area:.3f}"
    )
    left.pcolormesh(x, y, density, cmap="magma", rasterized=True)
    left.set_title(f"{name}: {held_out:.2f} nats")
    for moon, colour in enumerate(("tab:blue", "tab:orange")):
        right.plot(
            *torch.stack(ways)[:, :, moon].permute(2, 0, 1),
            color=colour,
            linewidth=0.6,
        )
        right.scatter(*ways[-1][:, moon].T, color=colour, s=6)
    right.set_title("from latents to samples")
for axis in axes.flat:
    axis.set(xlim=(-3, 3), ylim=(-3, 3), xticks=[], yticks=[], aspect="equal")

# %%
# Pairs by transport have straighter ways, so that fewer steps of a solver do. The best Gaussian for each moon, for
# comparison:

likelihood = 0.0
for moon in (0, 1):
    own, held = train[train_moon[:, 0] == moon], test[test_moon[:, 0] == moon]
    normal = torch.distributions.MultivariateNormal(own.mean(0), torch.cov(own.T))
    likelihood += normal.log_prob(held).sum().item() / len(test)
print(f"a Gaussian for each moon: {likelihood:.2f} nats held out")
