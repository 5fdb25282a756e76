"""The contract of stochastic maps: every one of the package holds it, and mistakes are found by name."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from flowkit import surjections
from flowkit.surjections import AbsoluteValue, StochasticMap
from flowkit.testing import ContractViolation, MapCase, MapSubject, check_stochastic_map
from flowkit.testing.check import check_property
from flowkit.testing.stochastic_maps import PROPERTIES
from flowkit.testing.stochastic_maps.catalogue import MAPS
from flowkit.testing.violation import NotApplicable

Result = tuple[Tensor, Tensor]
Generator = torch.Generator | None


@pytest.mark.parametrize("prop", PROPERTIES, ids=lambda prop: prop.id)
@pytest.mark.parametrize("name", MAPS)
def test_the_contract_holds(name: str, prop: Any) -> None:
    for seed in (0, 1):
        for state in prop.states:
            try:
                check_property(prop, MapSubject(MAPS[name], seed, state))
            except NotApplicable:
                return


def test_every_stochastic_map_is_in_the_catalogue() -> None:
    public = {getattr(surjections, name) for name in surjections.__all__}
    maps = {one for one in public if issubclass(one, StochasticMap)} - {StochasticMap}
    assert maps == {type(case.make()) for case in MAPS.values()}


class ForwardWithoutSigns(AbsoluteValue):
    def forward(self, x: Tensor, context: Any = None, generator: Generator = None) -> Result:
        return super().forward(x, context, generator)[0], torch.zeros(x.shape[:-1], dtype=x.dtype)


class NeitherWithSigns(ForwardWithoutSigns):
    def inverse(self, z: Tensor, context: Any = None, generator: Generator = None) -> Result:
        return super().inverse(z, context, generator)[0], torch.zeros(z.shape[:-1], dtype=z.dtype)


class OtherOdds(AbsoluteValue):
    """Both contributions agree with each other, and not with what is drawn."""

    def __init__(self) -> None:
        super().__init__(2, nn.Linear(2, 2))

    def inverse(self, z: Tensor, context: Any = None, generator: Generator = None) -> Result:
        x, _ = AbsoluteValue.inverse(AbsoluteValue(2), z, context, generator)
        return x, -self(x)[1]


class GlobalDraws(AbsoluteValue):
    def inverse(self, z: Tensor, context: Any = None, generator: Generator = None) -> Result:
        return super().inverse(z, context)


class InPlace(AbsoluteValue):
    def forward(self, x: Tensor, context: Any = None, generator: Generator = None) -> Result:
        _, contribution = super().forward(x, context, generator)
        return (x if x.requires_grad else x.abs_()), contribution


class Negative(AbsoluteValue):
    latent_interval = (-math.inf, 0.0)


class WithColumns(AbsoluteValue):
    def forward(self, x: Tensor, context: Any = None, generator: Generator = None) -> Result:
        z, contribution = super().forward(x, context, generator)
        return z, contribution.unsqueeze(-1)


class InSingle(AbsoluteValue):
    def forward(self, x: Tensor, context: Any = None, generator: Generator = None) -> Result:
        z, contribution = super().forward(x.float(), context, generator)
        return z.double(), contribution.double()


class ByBatch(AbsoluteValue):
    def forward(self, x: Tensor, context: Any = None, generator: Generator = None) -> Result:
        z, contribution = super().forward(x, context, generator)
        return z, contribution + z.mean() - z.mean(-1)


class Stored(AbsoluteValue):
    """Its odds are no parameter: copies that load a state dict keep their own."""

    def __init__(self) -> None:
        super().__init__(2, nn.Linear(2, 2))
        self.odds = float(torch.rand(()))

    def _log_odds(self, z: Tensor) -> Tensor:
        return torch.full_like(z, self.odds)


class Stuck(AbsoluteValue):
    def forward(self, x: Tensor, context: Any = None, generator: Generator = None) -> Result:
        z, contribution = super().forward(x, context, generator)
        return z, contribution + (z - z).sqrt().sum(-1)


@pytest.mark.parametrize(
    ("made", "found"),
    [
        (lambda: ForwardWithoutSigns(2), "contributions: the balance of paths"),
        (lambda: ForwardWithoutSigns(2), "leads_back"),
        (lambda: NeitherWithSigns(2), "inverse, 4 in place of 1, is off by"),
        (OtherOdds, "contributions"),
        (lambda: GlobalDraws(2), "generator: a call with a generator draws from PyTorch's global one"),
        (lambda: InPlace(2), "inputs_untouched: the call changed its x"),
        (lambda: Negative(2), "latents_within: forward gives values in"),
        (lambda: WithColumns(2), "shapes: forward of a batch"),
        (lambda: InSingle(2), "leads_back"),
        (lambda: ByBatch(2), "independence"),
        (Stored, "copies: a map that loads its state dict gives other numbers"),
        (lambda: Stuck(2), "gradients: forward has gradients that are not finite"),
    ],
)
def test_mistakes_are_found_by_name(made: Callable[[], StochasticMap], found: str) -> None:
    with pytest.raises(ContractViolation) as caught:
        check_stochastic_map(made, event=(2,))
    assert found in str(caught.value)


def test_instances_and_cases_are_checked_as_well() -> None:
    layer = AbsoluteValue(2, nn.Linear(2, 2))
    before = {key: value.clone() for key, value in layer.state_dict().items()}
    assert not check_stochastic_map(layer, event=(2,)).failures
    assert all(torch.equal(value, before[key]) for key, value in layer.state_dict().items())
    assert "AbsoluteValue" in str(check_stochastic_map(MAPS["AbsoluteValue"], seeds=(0,)))


def test_what_cannot_be_checked_is_named() -> None:
    with pytest.raises(ValueError, match="event is missing"):
        check_stochastic_map(lambda: AbsoluteValue(2))
    with pytest.raises(ValueError, match="stated by the MapCase"):
        check_stochastic_map(MAPS["AbsoluteValue"], event=(2,))
    with pytest.raises(TypeError, match="makes a Linear, not a StochasticMap"):
        check_stochastic_map(lambda: nn.Linear(2, 2), event=(2,))  # type: ignore[arg-type, return-value]
    with pytest.raises(TypeError, match="can be checked, not 3"):
        check_stochastic_map(3, event=(2,))  # type: ignore[arg-type]


def test_one_end_or_two_of_the_latents_have_a_base_of_their_own() -> None:
    class Between(AbsoluteValue):
        latent_interval = (-1.0, 2.0)

    for interval in ((0.0, math.inf), (-math.inf, 0.0), (-1.0, 2.0), (-math.inf, math.inf)):
        Between.latent_interval = interval
        subject = MapSubject(MapCase(lambda: Between(1), (1,)))
        axis = torch.linspace(-9, 9, 18_001, dtype=torch.float64).unsqueeze(-1)
        # A jump at an end costs half a cell of 0.001 times the density there.
        assert float(subject.base_log_prob(axis).exp().sum() * 0.001) == pytest.approx(1, abs=1e-3)
        z, log_prob = subject.base_draws(1000)
        assert float(z.min()) >= interval[0]
        assert float(z.max()) <= interval[1]
        assert bool(log_prob.isfinite().all())
