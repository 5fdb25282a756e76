"""Large models are made without values, then get memory and a state dict: every model gives the same densities then."""

import copy

import pytest
import torch
from torch import Tensor

from flowkit import MaskedCoupling, Permutation, StandardNormal, alternating_mask
from flowkit.bijectors.coupling import Coupling
from flowkit.constants import WithConstants
from flowkit.flow import Flow
from flowkit.nn import MLP
from tests.flowkit.models.settings import MODELS, context_for, data, made, ready

every = pytest.mark.parametrize("name", MODELS)


def without_values(name: str) -> Flow:
    with torch.device("meta"):
        flow = made(name).eval()
    assert all(tensor.is_meta for tensor in (*flow.parameters(), *flow.buffers()))
    return flow


def assert_the_same(name: str, flow: Flow, expected: Flow) -> None:
    x, context = data(expected, 5), context_for(name, 5)
    assert torch.equal(flow.log_prob(x, context), expected.log_prob(x, context))
    one, other = (
        m.sample(3, context=None if context is None else context[:1], generator=torch.Generator().manual_seed(0))
        for m in (flow, expected)
    )
    assert torch.equal(one, other)


@pytest.fixture
def garbage_in_new_memory() -> object:
    """New memory is filled with NaN, where there might by chance be the right numbers."""
    torch.use_deterministic_algorithms(True)
    yield
    torch.use_deterministic_algorithms(False)


@every
@pytest.mark.usefixtures("garbage_in_new_memory")
def test_memory_then_a_state_dict(name: str) -> None:
    expected = ready(name)
    flow = without_values(name).double().to_empty(device="cpu")
    flow.load_state_dict(expected.state_dict())
    assert_the_same(name, flow, expected)


@every
def test_the_state_dict_itself(name: str) -> None:
    expected = ready(name)
    flow = without_values(name)
    flow.load_state_dict(copy.deepcopy(expected.state_dict()), assign=True)
    assert_the_same(name, flow, expected)


@every
@pytest.mark.usefixtures("garbage_in_new_memory")
def test_there_and_back(name: str) -> None:
    expected = ready(name)
    flow = copy.deepcopy(expected).to("meta").to_empty(device="cpu")
    flow.load_state_dict(expected.state_dict())
    assert_the_same(name, flow, expected)


@every
def test_the_state_dict_has_the_same_keys_wherever_it_is_made(name: str) -> None:
    assert without_values(name).state_dict().keys() == made(name).state_dict().keys()


@every
def test_shapes_without_values(name: str) -> None:
    flow = without_values(name)
    x, context = (None if t is None else t.float().to("meta") for t in (data(flow, 5), context_for(name, 5)))
    assert flow.log_prob(x, context).shape == (5,)
    drawn = flow.sample(3, context=None if context is None else context[:1])
    assert drawn.is_meta
    assert drawn.shape == (3, *flow.event_shape)  # type: ignore[misc]


def test_constants_follow_the_model_in_type_and_keep_their_values() -> None:
    layer = Coupling(3, MLP(1, 4), mask=torch.tensor([True, False, False]), event_dims=1)
    assert isinstance(layer, WithConstants)
    flow = Flow(layer, StandardNormal())
    with torch.device("meta"):
        other = Flow(Coupling(3, MLP(1, 4), mask=[True, False, False], event_dims=1), StandardNormal())
    other.load_state_dict({key: value.half() for key, value in flow.state_dict().items()}, assign=True)
    assert other.base.sample(2, (3,)).dtype == torch.float16
    assert not any(buffer.is_meta for buffer in other.buffers())


def test_masks_without_values_are_refused() -> None:
    mask = torch.ones(3, dtype=torch.bool, device="meta")
    for make in (Coupling, lambda n, net, **kw: MaskedCoupling(kw["mask"], net, event_dims=1)):
        with pytest.raises(ValueError, match=r"a mask of shape \(3,\) is on the meta device"):
            make(3, MLP(1, 4), mask=mask, event_dims=1)


def test_masks_have_values_where_a_model_is_made_without() -> None:
    with torch.device("meta"):
        layer = MaskedCoupling(alternating_mask(4), MLP(4, 8), event_dims=1)
    assert torch.equal(layer.to_empty(device="cpu").mask, torch.tensor([True, False, True, False]))  # type: ignore[arg-type]


def test_a_permutation_without_values_gets_them_from_the_state_dict() -> None:
    expected = Permutation(torch.tensor([2, 0, 1]))
    with torch.device("meta"):
        layer = Permutation(torch.randperm(3))
    layer.load_state_dict(expected.state_dict(), assign=True)
    x: Tensor = torch.rand(4, 3)
    assert torch.equal(layer(x)[0], expected(x)[0])
