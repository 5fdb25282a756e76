"""Contributions are the log-ratios of the probabilities that the map draws by."""

import math
from collections.abc import Iterator

import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from flowkit.testing.property import Measurement, Property
from flowkit.testing.stochastic_maps.subject import MapSubject

__all__ = ["PROPERTIES"]

DRAWS = 20_000


def _bridged(subject: MapSubject) -> Iterator[Measurement]:
    # Paths are drawn both ways: z ~ p, x ~ p(x|z), and x ~ h, z ~ q(z|x). With r the log-ratio of the two densities of
    # a path, log p(z) + V - log h(x), the means of sigmoid(-r) over the one and of sigmoid(r) over the other are the
    # same integral (Bennett 1976): numbers between 0 and 1, where importance weights may have no variance.
    with torch.no_grad():
        z, log_prob = subject.base_draws(DRAWS)
        x, minus = subject.map.inverse(z, subject.context((DRAWS,)), generator=subject.generator(10))
        data = _normal_of(x)
        by_inverse = torch.sigmoid(data.log_prob(x.flatten(1)) + minus - log_prob)

        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(subject.seed)
            x = data.sample((DRAWS,)).unflatten(1, subject.case.event)
        z, contribution = subject.map(x, subject.context((DRAWS,)), generator=subject.generator(11))
        by_forward = torch.sigmoid(subject.base_log_prob(z) + contribution - data.log_prob(x.flatten(1)))

    error = math.sqrt(float(by_inverse.var() + by_forward.var()) / DRAWS)
    ratio = float(by_forward.mean() / by_inverse.mean())
    yield Measurement(
        abs(float(by_inverse.mean() - by_forward.mean())) / max(error, 1e-9),
        f"the balance of paths drawn by forward and by inverse, {ratio:.3g} in place of 1,",
    )


def _normal_of(x: Tensor) -> MultivariateNormal:
    """A normal distribution of the samples' mean and covariance."""
    flat = x.flatten(1)
    return MultivariateNormal(flat.mean(0), torch.atleast_2d(torch.cov(flat.T)) + 1e-6 * torch.eye(flat.shape[1]))


PROPERTIES: tuple[Property[MapSubject], ...] = (
    Property(
        "contributions",
        "What forward returns is V = log p(x|z) / q(z|x), what inverse returns is -V, for the probabilities that they "
        "draw by: paths drawn both ways agree on the integral of the model's density, 1.",
        5.0,
        f"in standard errors of means of {DRAWS} draws, of a hundredth or less: a right map exceeds five once in two "
        "million times, and the smallest real mistake, a sign or a constant such as log 2, is off by tens",
        _bridged,
        states=("initial", "perturbed"),
    ),
)
