r"""
A bijector of your own, certified
=================================

A bijector is two methods, one for each direction. What is hard about it is not writing them, it is being sure: a
log-determinant that lacks a factor trains without complaint, to a density that is wrong. So here one is written, then
checked for every property of :doc:`the contract </explanation/contract>`, then broken on purpose in three ways, and the
check says of each what is wrong. In the end it is put to use.
"""

# %%
# The bijector
# ------------
#
# A twist of the plane: each point turns about the origin by an angle that grows with its distance, and then all is
# scaled,
#
# .. math:: z = e^{s} R(\theta)\, x, \qquad \theta = a \sqrt{1 + |x|^2}.
#
# A twist keeps areas, since each circle is only turned, so the log-determinant is that of the scale: :math:`2 s`.
# Turning leaves distances as they are, so the inverse finds the same angle.
#
# ``_forward`` and ``_inverse`` may rely on what the base class has checked before: that they get a floating-point
# tensor of an event shape that :meth:`~flowkit.Bijector.output_shape` accepts, behind any number of batch dimensions.
# The log-determinant has one number for each sample.

# sphinx_gallery_thumbnail_number = 2
import matplotlib.pyplot as plt
import torch
from torch import Tensor, nn

from flowkit import Bijector, sum_event


def turned(x: Tensor, angle: Tensor) -> Tensor:
    """Points ``... x 2``, each turned by its own angle ``...``."""
    cosine, sine = angle.cos(), angle.sin()
    first, second = x.unbind(-1)
    return torch.stack(
        [cosine * first - sine * second, sine * first + cosine * second], dim=-1
    )


class Twist(Bijector[Tensor, Tensor]):
    """Turn points of the plane, the more the farther they are from the origin."""

    def __init__(self, rate: float = 1.0) -> None:
        super().__init__()
        self.rate = nn.Parameter(torch.tensor(rate))
        self.log_scale = nn.Parameter(torch.zeros(()))

    def output_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Points of the plane alone."""
        if tuple(shape) != (2,):
            raise ValueError(
                f"Twist takes points of the plane, got the event shape {tuple(shape)}"
            )
        return shape

    input_shape = output_shape

    def _forward(self, x: Tensor, prepared: None) -> tuple[Tensor, Tensor]:
        return turned(x, self._angle(x)) * self.log_scale.exp(), self._log_det(x)

    def _inverse(self, z: Tensor, prepared: None) -> tuple[Tensor, Tensor]:
        z = z * (-self.log_scale).exp()
        return turned(z, -self._angle(z)), -self._log_det(z)

    def _angle(self, x: Tensor) -> Tensor:
        return self.rate * (1 + x.square().sum(-1)).sqrt()

    def _log_det(self, x: Tensor) -> Tensor:
        # In float32 at least, and in float64 for float64: sum_event sees to that.
        return sum_event(self.log_scale.expand_as(x), self.event_dims)


# %%
# What it does to a grid:

line = torch.linspace(-3, 3, 400)
ticks = torch.linspace(-3, 3, 13)
twist = Twist(rate=0.5)
figure, axes = plt.subplots(
    1, 2, figsize=(9, 4.4), layout="constrained", sharex=True, sharey=True
)
for tick in ticks:
    across = torch.stack([line, tick.expand_as(line)], dim=-1)
    for curve, colour in ((across, "tab:blue"), (across.flip(-1), "tab:orange")):
        for axis, shown in zip(
            axes, (curve, twist(curve)[0].detach()), strict=True
        ):
            axis.plot(*shown.T, color=colour, linewidth=1)
axes[0].set_title("$x$")
axes[1].set_title("$z$, twisted")
for axis in axes:
    axis.set_aspect("equal")

# %%
# Certified
# ---------
#
# :func:`~flowkit.testing.check_bijector` makes the bijector several times: as it starts, with its parameters moved at
# random, and trained for a few steps. Each time it measures both directions in float64, and says how far each property
# is missed at worst.

from flowkit.testing import check_bijector

print(check_bijector(Twist, event=(2,)))

# %%
# Three mistakes
# --------------
#
# Each of these runs, and each would train.


class ForgottenFactor(Twist):
    """The scale counts once, though it stretches two dimensions."""

    def _log_det(self, x: Tensor) -> Tensor:
        return super()._log_det(x) / 2


class WrongRadius(Twist):
    """The inverse takes the angle from the distance after scaling, not before."""

    def _inverse(self, z: Tensor, prepared: None) -> tuple[Tensor, Tensor]:
        return turned(z, -self._angle(z)) * (-self.log_scale).exp(), -self._log_det(
            z
        )


class Remembers(Twist):
    """The inverse saves some work: it uses the angle that forward left behind."""

    def _forward(self, x: Tensor, prepared: None) -> tuple[Tensor, Tensor]:
        self.angle = self._angle(x)
        return super()._forward(x, prepared)

    def _inverse(self, z: Tensor, prepared: None) -> tuple[Tensor, Tensor]:
        x = turned(z * (-self.log_scale).exp(), -self.angle)
        return x, -self._log_det(z)


from textwrap import shorten

from flowkit.testing import run_checks

for broken in (ForgottenFactor, WrongRadius, Remembers):
    report = run_checks(broken, event=(2,), seeds=[0])
    print(f"{broken.__name__}: {report.summary}")
    for row in report.failures[:4]:
        print(f"    {shorten(row.message, 84, placeholder=' ...')}")

# %%
# Notice what the first one does *not* fail: its two log-determinants cancel, and the round trip is perfect. Only the
# comparison with the Jacobian itself tells. The third one passes every round trip that begins with ``forward``; it
# is caught because a bijector that keeps something on ``self`` breaks where nobody looks: in ``torch.func``, in a
# compiled graph, in a second thread.
#
# In a test suite, :func:`flowkit.testing.pytest.contract_tests` makes a test of each property, and
# ``python -m flowkit.testing my_package:Twist --event 2`` prints the table on the command line.
#
# Put to use
# ----------
#
# Two spiral arms are hard for couplings, which bend one coordinate at a time. A twist unrolls them: what is left to
# learn is a straight line, for which a spline of each coordinate will do.

from flowkit import (
    Chain,
    Elementwise,
    Flow,
    LULinear,
    RationalQuadraticSpline,
    StandardNormal,
)


def spiral(samples: int) -> Tensor:
    """Points of two spiral arms, ``samples x 2``."""
    distance = 0.3 + 2.7 * torch.rand(samples).sqrt()
    straight = torch.stack(
        [distance * torch.randn(samples).sign(), 0.12 * torch.randn(samples)],
        dim=-1,
    )
    return turned(straight, 2.0 * distance)


def marginals() -> list[Bijector]:
    """A matrix and a spline of each coordinate."""
    return [
        LULinear(2),
        Elementwise(RationalQuadraticSpline(bins=12, bound=4.0), (2,)),
    ]


torch.manual_seed(0)
data = spiral(2000)
flows = {
    "with a twist": Flow(
        Chain([Twist(rate=-1.6), *marginals()]), StandardNormal(), event_shape=(2,)
    ),
    "without": Flow(Chain(marginals()), StandardNormal(), event_shape=(2,)),
}
x, y = torch.meshgrid(
    torch.linspace(-4, 4, 200), torch.linspace(-4, 4, 200), indexing="xy"
)
grid = torch.stack([x, y], dim=-1)
figure, axes = plt.subplots(
    1, 3, figsize=(11, 4.3), layout="constrained", sharex=True, sharey=True
)
axes[0].scatter(*data.T, s=2, color="black")
axes[0].set_title("data")
for axis, (name, flow) in zip(axes[1:], flows.items(), strict=True):
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.02)
    for _ in range(500):
        loss = -flow.log_prob(data).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        axis.pcolormesh(
            x, y, flow.log_prob(grid).exp(), cmap="magma", rasterized=True
        )
    axis.set_title(f"{name}: {-loss.item():.2f} nats")
for axis in axes:
    axis.set_aspect("equal")
twist = flows["with a twist"].bijector.parts[0]
print(
    f"the learned rate of turning: {twist.rate.item():.2f} (the arms were wound at 2)"
)
