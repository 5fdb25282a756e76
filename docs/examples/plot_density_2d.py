r"""
Densities in the plane
======================

Four of the field's flows are built by name and fitted to the same points. Two dimensions are few enough to look at what
each of them can and cannot do: a density has to be *drawn out* of a Gaussian by an invertible map, which may bend and
stretch, but not cut.
"""

# %%
# The data
# --------
#
# A pinwheel: five arms that are bent. The points are scaled to about unit variance, as the models expect.

# sphinx_gallery_thumbnail_number = 2
import math
import time
from textwrap import fill

import matplotlib.pyplot as plt
import torch
from torch import Tensor


def pinwheel(samples: int, arms: int = 5) -> Tensor:
    """Points of a pinwheel, ``samples x 2``."""
    points = torch.randn(samples, 2) * torch.tensor([0.3, 0.05]) + torch.tensor(
        [1.0, 0.0]
    )
    angle = (
        2 * math.pi / arms * torch.randint(arms, (samples,))
        + 0.25 * points[:, 0].exp()
    )
    cosine, sine = angle.cos(), angle.sin()
    first, second = points.unbind(-1)
    return 1.3 * torch.stack(
        [cosine * first - sine * second, sine * first + cosine * second], dim=-1
    )


torch.manual_seed(0)
train, test = pinwheel(4000), pinwheel(2000)

# %%
# The models
# ----------
#
# :func:`~flowkit.create_model` builds any model of :func:`~flowkit.list_models` from its settings. What comes back is
# a :class:`~flowkit.Flow`, whatever its layers are: ``log_prob`` and ``sample``, nothing else is needed to train and
# use it.

from flowkit import create_model, list_models

print(fill(", ".join(list_models()), 80))
settings = {
    "realnvp": {"layers": 6, "hidden": (64, 64)},
    "maf": {"layers": 5, "hidden": (64, 64)},
    "nsf": {"layers": 3, "hidden": (64, 64), "bound": 4.0},
    "ffjord": {"hidden": (40, 40), "steps": 5},
}
torch.manual_seed(0)
flows = {
    name: create_model(name, features=2, **values)
    for name, values in settings.items()
}
for name, flow in flows.items():
    print(f"{name:>9}: {sum(p.numel() for p in flow.parameters()):,} parameters")

# %%
# Training
# --------
#
# The loss is the negative log-likelihood. Each model gets the same number of steps on batches of the same size.

STEPS, BATCH = 350, 256


def fit(flow: torch.nn.Module, learning_rate: float = 4e-3) -> list[float]:
    """Train on the pinwheel; returns the loss at each step."""
    optimizer = torch.optim.Adam(flow.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, STEPS)
    losses = []
    for _ in range(STEPS):
        batch = train[torch.randint(len(train), (BATCH,))]
        loss = -flow.log_prob(batch).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        losses.append(loss.item())
    return losses


figure, axis = plt.subplots(figsize=(7, 3.4), layout="constrained")
for name, flow in flows.items():
    start = time.perf_counter()
    losses = torch.tensor(fit(flow))
    flow.eval()
    print(f"{name:>9}: {time.perf_counter() - start:.0f} s")
    axis.plot(losses.unfold(0, 20, 1).mean(1), label=name)
axis.set(xlabel="step", ylabel="negative log-likelihood (nats)", ylim=(None, 2.6))
axis.legend(frameon=False)

# %%
# Densities and samples
# ---------------------
#
# Above: the density, and how likely held-out points are under it. Below: points that were drawn, which go through the
# inverse. Couplings (realnvp, and the splines of nsf) invert in one pass, an autoregressive flow (maf) draws one
# coordinate after the other, and a continuous one (ffjord) solves its differential equation backwards.

x, y = torch.meshgrid(
    torch.linspace(-3, 3, 180), torch.linspace(-3, 3, 180), indexing="xy"
)
grid = torch.stack([x, y], dim=-1)
figure, axes = plt.subplots(
    2, 5, figsize=(13, 5.4), layout="constrained", sharex=True, sharey=True
)
axes[0, 0].scatter(*test.T, s=1, color="black")
axes[0, 0].set_title("held-out points")
axes[1, 0].set_visible(False)
for (top, bottom), (name, flow) in zip(axes.T[1:], flows.items(), strict=True):
    with torch.no_grad():
        density = flow.log_prob(grid).exp()  # a grid is a batch of two dimensions
        held_out = flow.log_prob(test).mean()
        samples = flow.sample(2000)
    top.pcolormesh(x, y, density.clamp(max=0.5), cmap="magma", rasterized=True)
    top.set_title(f"{name}: {held_out:.2f} nats")
    bottom.scatter(*samples.T, s=1, color="tab:purple")
for axis in axes.flat:
    axis.set(xlim=(-3, 3), ylim=(-3, 3), xticks=[], yticks=[], aspect="equal")

# %%
# There are filaments between the arms where there should be nothing: a continuous map of one Gaussian cannot make five
# separate islands. The more a map can bend, the thinner they are; with a longer training, too. For such data a base
# distribution of several parts helps, :class:`~flowkit.Mixture`.
#
# The map itself
# --------------
#
# What the splines do to the plane: rings of the Gaussian, carried back to the data by ``inverse``.

flow = flows["nsf"]
angle = torch.linspace(0, 2 * math.pi, 600)
circle = torch.stack([angle.cos(), angle.sin()], dim=-1)
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 4.4), layout="constrained")
for radius in torch.linspace(0.2, 2.4, 12):
    ring = radius * circle
    with torch.no_grad():
        carried, _ = flow.bijector.inverse(ring)
    colour = plt.get_cmap("viridis")(radius.item() / 2.4)
    left.plot(*ring.T, color=colour, linewidth=1)
    right.plot(*carried.T, color=colour, linewidth=1)
left.set_title("latents $z$")
right.set_title("data $x = f^{-1}(z)$")
for axis in (left, right):
    axis.set_aspect("equal")
