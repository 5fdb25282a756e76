r"""
DeFlow in one dimension, exactly
================================

DeFlow learns :math:`p(y \mid x)` from clean numbers :math:`x` and degraded numbers :math:`y` that are not paired. In
one dimension, with Gaussian domains and a flow of one affine layer, what it learns can be written down: that is
:func:`flowkit_deflow.closed_form_1d`, from the paper's appendices. Here both of its cases are drawn, and gradient
descent on the real model is seen to find them.
"""

# %%
# Two cases
# ---------
#
# If the degraded domain has the larger variance, the optimum is what one hopes for: the flow standardises :math:`x`,
# and the shift is exactly the noise that is missing, :math:`y \mid x \sim N(x + \mu_y - \mu_x,\ \sigma_y^2 -
# \sigma_x^2)`. Noise cannot take variance away, though. If the degraded domain has the *smaller* variance, the shift's
# deviation is 0, and the flow meets the two domains half-way.

import math

import matplotlib.pyplot as plt
import torch

from flowkit import ActNorm, Flow, MultiScale, initialize
from flowkit_deflow import CorrelatedShift, Domain, LatentModel, closed_form_1d

CLEAN = (2.0, 1.0)  # mean and standard deviation of x
DEGRADED = {
    "the degraded domain is noisier": (4.0, 2.0),
    "the degraded domain is quieter": (4.0, 0.5),
}
BLUE, ORANGE = "tab:blue", "tab:orange"


def normal(t: torch.Tensor, mean: float, std: float) -> torch.Tensor:
    """The density of N(mean, std^2) at t."""
    return torch.exp(-0.5 * ((t - mean) / std) ** 2) / (
        std * math.sqrt(2 * math.pi)
    )


t = torch.linspace(-3, 11, 500)
figure, axes = plt.subplots(
    1, 2, figsize=(11, 3.8), layout="constrained", sharey=True
)
for axis, (title, degraded) in zip(axes, DEGRADED.items(), strict=True):
    optimum = closed_form_1d(*CLEAN, *degraded)
    # Degrading every x moves its density by the offset, and widens it by the noise.
    generated = (
        CLEAN[0] + optimum.degraded_mean_offset,
        math.hypot(CLEAN[1], optimum.degraded_std),
    )
    axis.fill_between(
        t, normal(t, *CLEAN), color=BLUE, alpha=0.35, label="clean $x$"
    )
    axis.fill_between(
        t, normal(t, *degraded), color=ORANGE, alpha=0.35, label="degraded $y$"
    )
    axis.plot(
        t,
        normal(t, *generated),
        "--",
        color="black",
        label="$x$ degraded by the model",
    )
    offset, noise = optimum.degraded_mean_offset, optimum.degraded_std
    axis.set_title(f"{title}:\noffset {offset:.2f}, noise {noise:.2f}")
    axis.legend(frameon=False)
    axis.set_yticks([])
    rounded = {name: round(value, 3) for name, value in optimum._asdict().items()}
    print(f"{title}: {rounded}")

# %%
# On the left, the degraded clean numbers are distributed as the really degraded ones are. On the right they have the
# right mean, and keep the clean domain's spread: with no noise to add, nothing can be made narrower.
#
# Gradient descent finds it
# -------------------------
#
# The same one-layer model as DeFlow's own parts make it: an actnorm is the affine flow, a
# :class:`~flowkit_deflow.CorrelatedShift` of one channel is :math:`u`, and a "photograph" has one pixel. The loss is
# the sum of the two marginal likelihoods. No :math:`x` is ever seen together with its :math:`y`.

STEPS = 700
# One number for each of 400 equal parts of the standard normal's probability, scaled:
# a sample of the distribution without the accidents of a draw. (That x and y are of the
# same order says nothing: the loss sums.)
ranks = (torch.arange(400, dtype=torch.float64) + 0.5) / 400
numbers = torch.special.ndtri(ranks).reshape(-1, 1, 1, 1)
numbers = numbers / numbers.std(correction=0)


def train(degraded: tuple[float, float], start: float) -> dict[str, list[float]]:
    """Fit the model, and record its four numbers."""
    x, y = (mean + std * numbers for mean, std in (CLEAN, degraded))
    layer, shift = ActNorm(1), CorrelatedShift(1, start=max(start, 1e-9))
    if start == 0:
        torch.nn.init.zeros_(shift.matrix)
    flow = Flow(MultiScale([layer]), LatentModel([shift])).double()
    initialize(flow.bijector, torch.cat([x, y]))
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.02)
    path: dict[str, list[float]] = {
        "offset of the mean": [],
        "deviation of the noise": [],
    }
    for _ in range(STEPS):
        loss = (
            -flow.log_prob(x, label=Domain.CLEAN).mean()
            - flow.log_prob(y, label=Domain.DEGRADED).mean()
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        scale = layer.log_scale.exp().item()
        path["offset of the mean"].append(shift.mean.item() / scale)
        path["deviation of the noise"].append(abs(shift.matrix.item()) / scale)
    return path


figure, axes = plt.subplots(1, 2, figsize=(11, 3.8), layout="constrained")
for axis, (title, degraded) in zip(axes, DEGRADED.items(), strict=True):
    optimum = closed_form_1d(*CLEAN, *degraded)
    expected = (optimum.degraded_mean_offset, optimum.degraded_std)
    # A shift that has to vanish starts large, to be seen vanishing.
    path = train(degraded, start=0.01 if degraded[1] > CLEAN[1] else 1.0)
    for (name, values), value, colour in zip(
        path.items(), expected, (BLUE, ORANGE), strict=True
    ):
        axis.plot(values, color=colour, label=name)
        axis.axhline(value, color=colour, linestyle=":", linewidth=2)
    axis.set_title(title)
    axis.set_xlabel("step of Adam")
    axis.legend(frameon=False, loc="center right")

# %%
# Dotted is the closed form. On the right the noise dies out, as it has to.
#
# Why the shift does not start at zero
# ------------------------------------
#
# The likelihood depends on the deviation :math:`m` of the shift through :math:`1 + m^2`, whose slope at 0 is 0. A model
# that starts there never leaves: it explains the degraded domain by the flow alone, for good.

figure, axis = plt.subplots(figsize=(7, 3.6), layout="constrained")
degraded = DEGRADED["the degraded domain is noisier"]
for start, colour in ((0.01, BLUE), (0.0, ORANGE)):
    axis.plot(
        train(degraded, start)["deviation of the noise"],
        color=colour,
        label=f"started at {start:g}",
    )
axis.axhline(
    closed_form_1d(*CLEAN, *degraded).degraded_std,
    color="black",
    linestyle=":",
    label="closed form",
)
axis.set_xlabel("step of Adam")
axis.set_ylabel("deviation of the noise")
axis.legend(frameon=False)
