"""A stochastic map with parameters, data and latents."""

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.distributions import AffineTransform, Distribution, HalfNormal, Normal, TransformedDistribution, Uniform

from flowkit.bijector import REAL_LINE, Interval, Shape
from flowkit.surjections.stochastic_map import StochasticMap
from flowkit.testing.stochastic_maps.case import MapCase
from flowkit.testing.subject import ANOTHER_SEED, State, perturb
from flowkit.testing.values import draw_within

__all__ = ["MapSubject"]


@dataclass(frozen=True)
class MapSubject:
    """A case's map in one state of its parameters, in eval mode, with data; a function of the seed alone.

    Args:
        case: makes the map.
        seed: seed of parameters and data.
        state: ``initial``, or ``perturbed``: each parameter moved at random.
        dtype: floating-point type of parameters and data; they are drawn in float64 and rounded.

    Examples:
        >>> from flowkit.surjections import Maximum
        >>> subject = MapSubject(MapCase(lambda: Maximum(2), event=(6,)))
        >>> subject.data((5,)).shape, subject.latents((5,)).shape
        (torch.Size([5, 6]), torch.Size([5, 3]))
    """

    case: MapCase
    seed: int = 0
    state: State = "perturbed"
    dtype: torch.dtype = torch.float64

    @cached_property
    def map(self) -> StochasticMap:
        """The map, which the checks share and must not change."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.seed)
            made = self.case.make().to("cpu", torch.float64)
            if self.state == "perturbed":
                perturb(made, self.case.deviation, self.generator())
        return made.eval().to(self.dtype)

    @cached_property
    def in_float32(self) -> "MapSubject":
        """This subject with parameters and data rounded to float32."""
        return replace(self, dtype=torch.float32)

    @cached_property
    def sibling(self) -> "MapSubject":
        """The same case with other parameters."""
        return replace(self, seed=self.seed + ANOTHER_SEED, state="perturbed")

    @property
    def latent_shape(self) -> Shape:
        """Event shape of the latents."""
        return self.map.output_shape(self.case.event)

    def generator(self, salt: int = 0) -> torch.Generator:
        """A source of randomness: the same for the same subject and salt."""
        return torch.Generator().manual_seed(self.seed + 7919 * salt)

    def data(self, batch: tuple[int, ...], salt: int = 1) -> Tensor:
        """Standard normal data."""
        return self._drawn(REAL_LINE, self.case.event, batch, salt)

    def latents(self, batch: tuple[int, ...], salt: int = 2) -> Tensor:
        """Latents of order one within the map's interval."""
        return self._drawn(self.map.latent_interval, self.latent_shape, batch, salt)

    def context(self, batch: tuple[int, ...], salt: int = 3) -> Tensor | None:
        """Standard normal contexts, if the case has any."""
        return None if self.case.context is None else self._drawn(REAL_LINE, self.case.context, batch, salt)

    @property
    def base(self) -> Distribution:
        """A density of the latents' entries on all of the map's interval.

        Standard normal on the whole line, half-normal where there is one end, uniform between two.
        """
        lower, upper = (torch.tensor(end, dtype=self.dtype) for end in self.map.latent_interval)
        one = torch.ones((), dtype=self.dtype)
        if lower.isfinite() and upper.isfinite():
            return Uniform(lower, upper, validate_args=False)
        if lower.isinf() and upper.isinf():
            return Normal(0 * one, one)
        end, way = (lower, 1) if lower.isfinite() else (upper, -1)
        half_normal = HalfNormal(one, validate_args=False)
        return TransformedDistribution(half_normal, AffineTransform(end, way), validate_args=False)

    def base_draws(self, number: int, salt: int = 4) -> tuple[Tensor, Tensor]:
        """Latents drawn from :attr:`base`, and their log-density."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self.generator(salt).initial_seed())
            z = self.base.sample((number, *self.latent_shape))
        return z, self.base_log_prob(z)

    def base_log_prob(self, z: Tensor) -> Tensor:
        """The log-density of :meth:`base_draws` at a batch of latents."""
        return self.base.log_prob(z).flatten(1).sum(1)

    def __str__(self) -> str:
        """The seed, the state and the event shape, for messages."""
        return f"(seed {self.seed}, {self.state} parameters, event shape {self.case.event})"

    def _drawn(self, interval: Interval, shape: Shape, batch: tuple[int, ...], salt: int) -> Any:
        return draw_within(interval, shape, batch, self.dtype, self.generator(salt))
