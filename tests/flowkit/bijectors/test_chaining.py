"""A density integrates to 1 or is refused: which interval latents fill, layer by layer."""

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import nn

from flowkit import (
    Chain,
    Coupling,
    Elementwise,
    Factorised,
    FactorOut,
    FixedAffine,
    Flow,
    LULinear,
    MultiScale,
    Orthogonal,
    Permutation,
    Reversal,
    Rotation,
    StandardNormal,
    Uniform,
    maf,
)
from flowkit.bijectors import (
    Box,
    Concatenate,
    ExponentialMap,
    Identity,
    Inverse,
    Moebius,
    Ordered,
    Positive,
    Reshape,
    Split,
    StickBreaking,
    Transpose,
)
from flowkit.distributions import UniformSphere
from flowkit.interop.torch_distributions import FlowDistribution
from flowkit.surjections import AbsoluteValue, Maximum, Slice, StochasticFlow
from flowkit.testing import check_bijector
from flowkit.transforms import Affine, Log, Logit, Power, Sigmoid, Softplus

NORMAL = StandardNormal(event_dims=1)


def elementwise(transform: Any) -> Elementwise:
    return Elementwise(transform)


def flow(*parts: Any) -> Flow:
    return Flow(Chain(parts), NORMAL, (2,))


def stochastic(*layers: Any) -> StochasticFlow:
    return StochasticFlow(layers, NORMAL, (2,))


LACKING: dict[str, Callable[[], object]] = {
    "a permutation after softplus": lambda: flow(elementwise(Softplus()), Permutation([1, 0])),
    "a split after softplus": lambda: flow(elementwise(Softplus()), Split([1, 1])),
    "parts, of which each has its base": lambda: Flow(
        Chain([elementwise(Softplus()), Split([1, 1])]), Factorised([NORMAL, NORMAL]), (2,)
    ),
    "another shape after softplus": lambda: Flow(
        Chain([elementwise(Softplus()), Reshape((2,), (1, 2))]), StandardNormal(event_dims=2), (2,)
    ),
    "a matrix after a sigmoid": lambda: Chain([elementwise(Sigmoid()), LULinear(2)]),
    "a coupling after softplus": lambda: Chain([elementwise(Softplus()), Coupling(2, nn.Linear(1, 2), event_dims=1)]),
    "learned scales after a sigmoid": lambda: Chain([elementwise(Sigmoid()), Elementwise(Affine(), (2,))]),
    "blocks after softplus": lambda: Chain(
        [elementwise(Softplus()), Concatenate([Identity(), Elementwise(Affine(), (1,))], [1, 1])]
    ),
    "a part that is added later": lambda: Chain([elementwise(Softplus())]).append(LULinear(2)),
    "the last level of several": lambda: MultiScale(
        [LULinear(2), elementwise(Softplus())], [FactorOut(2, nn.Linear(1, 2), event_dims=1)]
    ),
    "a cut after softplus": lambda: MultiScale(
        [elementwise(Softplus()), LULinear(1)], [FactorOut(2, nn.Linear(1, 2), event_dims=1)]
    ),
    "a slice of positive numbers": lambda: stochastic(AbsoluteValue(2), Slice(2, 1, NORMAL)),
    "a slice of positive numbers, onto real ones": lambda: stochastic(
        AbsoluteValue(2), Slice(2, 1, NORMAL), elementwise(Log())
    ),
    "a maximum of positive numbers": lambda: stochastic(AbsoluteValue(2), Maximum(2), elementwise(Log())),
    "squares of positive numbers": lambda: stochastic(AbsoluteValue(2), elementwise(Power(2.0))),
    "signs of positive numbers": lambda: stochastic(AbsoluteValue(2), AbsoluteValue(2), elementwise(Log())),
    "a matrix after a sphere": lambda: Chain([Moebius(3), LULinear(3)]),
    "a permuted sphere": lambda: Flow(Chain([Moebius(3), Reversal(3)]), NORMAL, (3,)),
    "a sphere that is turned": lambda: Flow(Chain([Moebius(3), Rotation(3)]), NORMAL, (3,)),
    "a matrix after ordered vectors": lambda: Chain([Inverse(Ordered()), LULinear(2)]),
    "falling vectors": lambda: flow(Inverse(Ordered()), Reversal(2)),
    "softplus at the end": lambda: stochastic(Maximum(2), elementwise(Softplus())),
}


@pytest.mark.parametrize("make", LACKING.values(), ids=LACKING)
def test_what_would_lack_a_share_of_the_density_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match=r"others as well, whose share|those cut off before are any real numbers"):
        make()


BEHIND: dict[str, Callable[[], object]] = {
    "positive numbers": lambda: Chain([LULinear(2), Positive()]),
    "a box": lambda: Chain([maf(2, layers=1).bijector, Box(0.0, 1.0)]),
    "ordered vectors": lambda: Chain([LULinear(3), Reversal(3), Ordered()]),
    "a simplex": lambda: Chain([LULinear(3), StickBreaking()]),
    "a sphere": lambda: Chain([LULinear(3), Moebius(3)]),
    "a sphere among layers": lambda: StochasticFlow([LULinear(3), Moebius(3)], UniformSphere(), (3,)),
}


@pytest.mark.parametrize("make", BEHIND.values(), ids=BEHIND)
def test_a_support_behind_layers_of_real_numbers_is_refused(make: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="alone: what takes data onto real numbers comes first"):
        make()


def test_data_of_any_scale_may_be_brought_into_an_interval() -> None:
    chain = Chain([FixedAffine(0.0, 255.0), Permutation([1, 0]), elementwise(Logit()), LULinear(2)])
    assert chain(torch.tensor([[10.0, 250.0]]))[0].isfinite().all()


def test_spheres_are_turned_and_permuted() -> None:
    layers = [Rotation(3), Moebius(3), Reversal(3), ExponentialMap(3, 5), Orthogonal(3)]
    made = Flow(Chain(layers), UniformSphere(), (3,))
    x = made.sample(5)
    assert made.log_prob(x).isfinite().all()
    with pytest.raises(ValueError, match="takes vectors of length 1"):
        made.log_prob(2 * x)


def test_a_support_is_seen_from_before_what_moves_entries() -> None:
    """Values off it are refused, samples lie on it, and torch's distributions know both."""
    falling = Flow(Chain([Reversal(3), Ordered()]), NORMAL, (3,))
    assert bool((falling.sample(20).diff(dim=-1) < 0).all())
    assert falling.log_prob(torch.tensor([3.0, 2.0, 1.0])).isfinite()
    with pytest.raises(ValueError, match="takes vectors whose entries increase, when their entries are moved"):
        falling.log_prob(torch.tensor([1.0, 2.0, 3.0]))
    support = FlowDistribution(falling).support
    assert support.check(torch.tensor([[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]])).tolist() == [True, False]
    onto = torch.distributions.biject_to(support)
    torch.testing.assert_close(onto.inv(onto(torch.tensor([0.3, -1.0, 0.2]))), torch.tensor([0.3, -1.0, 0.2]))
    assert bool(support.check(onto(torch.tensor([0.3, -1.0, 0.2]))))


@pytest.mark.parametrize(
    ("make", "event"),
    [
        (lambda: Chain([Reversal(4), Ordered()]), (4,)),
        (lambda: Chain([Reversal(4), StickBreaking()]), (4,)),
        (lambda: Chain([Reshape((2, 2), (4,)), StickBreaking()]), (2, 2)),
        (lambda: Chain([Inverse(Ordered()), Permutation([2, 0, 1, 3])]), (4,)),
        (lambda: Chain([Rotation(3), Moebius(3), Reversal(3)]), (3,)),
    ],
)
def test_chains_of_moved_supports_keep_the_contract(make: Callable[[], Any], event: tuple[int, ...]) -> None:
    check_bijector(make, event=event)


RIGHT: dict[str, Callable[[], Any]] = {
    "positive numbers, moved, onto real ones": lambda: stochastic(
        AbsoluteValue(2), Permutation([1, 0]), elementwise(Log())
    ),
    "a chain among layers": lambda: stochastic(AbsoluteValue(2), Chain([Permutation([1, 0]), elementwise(Log())])),
    "an interval, stretched to that of the base": lambda: Flow(
        Chain([elementwise(Sigmoid()), FixedAffine(0.5, -0.5)]), Uniform(torch.full((2,), -1.0), torch.ones(2)), (2,)
    ),
    "an interval, turned round": lambda: Flow(
        Chain([elementwise(Softplus()), elementwise(Power(-1.0)), elementwise(Log())]), NORMAL, (2,)
    ),
    "moved data in an interval": lambda: flow(Permutation([1, 0]), elementwise(Logit()), LULinear(2)),
    "blocks, of which one is in an interval": lambda: flow(
        elementwise(Softplus()), Concatenate([elementwise(Log()), elementwise(Log())], [1, 1]), LULinear(2)
    ),
}


@pytest.mark.parametrize("make", RIGHT.values(), ids=RIGHT)
def test_what_lacks_nothing_is_taken_and_integrates_to_one(make: Callable[[], Any]) -> None:
    """By the mean of p/q over draws of a wide q: within 5 standard errors, and these below 0.03."""
    made = make().double()
    torch.manual_seed(0)
    count = 40_000
    if isinstance(made, Flow) and made.bijector.domain(torch.float64)[1] < math.inf:
        x, log_q = torch.rand(count, 2, dtype=torch.float64), torch.zeros(count)
    else:
        q = torch.distributions.StudentT(torch.tensor(2.0, dtype=torch.float64), 0.0, 2.0)
        x = q.sample((count, 2))
        log_q = q.log_prob(x).sum(-1)
    with torch.no_grad():
        weight = (made.log_prob(x) - log_q).exp()
    error = weight.std() / math.sqrt(count)
    assert error < 0.03
    assert abs(weight.mean() - 1) < 5 * error


def test_a_chain_says_where_its_data_and_latents_lie_behind_parts_that_move_entries() -> None:
    chain = Chain([Transpose([0]), elementwise(Logit()), Inverse(elementwise(Logit())), Permutation([1, 0])])
    assert chain.domain(torch.float64) == chain.codomain(torch.float64) == Logit().domain(torch.float64)
    with pytest.raises(ValueError, match="open interval"):
        chain(torch.tensor([[0.5, 1.5]]))


def test_a_chain_of_parts_that_move_entries_takes_all_numbers() -> None:
    chain = Chain([Permutation([1, 0]), Inverse(Permutation([1, 0]))])
    assert chain.moves_entries
    assert chain.image_of((0.0, 1.0)) == (0.0, 1.0)
    assert not Chain([Permutation([1, 0]), LULinear(2)]).moves_entries


def test_what_is_on_the_meta_device_is_taken() -> None:
    with torch.device("meta"):
        chain = Chain([Elementwise(Sigmoid()), FixedAffine(0.5, 0.5)])
    assert chain.output_shape((2,)) == (2,)
