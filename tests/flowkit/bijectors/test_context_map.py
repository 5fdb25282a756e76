from operator import itemgetter

import torch
from torch import Tensor, nn

from flowkit import Chain, ContextMap, Injector, Squeeze


def injector() -> Injector:
    return Injector(3, nn.Linear(2, 6), event_dims=1)


def test_the_bijector_sees_the_function_of_the_context() -> None:
    inner = injector()
    x, context = torch.rand(4, 3), torch.rand(4, 2)
    mapped = ContextMap(inner, lambda c: 2 * c["fine"])
    for got, expected in (
        (mapped(x, {"fine": context}), inner(x, 2 * context)),
        (mapped.inverse(x, {"fine": context}), inner.inverse(x, 2 * context)),
    ):
        assert torch.equal(got[0], expected[0])
        assert torch.equal(got[1], expected[1])


def test_maps_nest_from_the_outside_in() -> None:
    inner = injector()
    x, context = torch.rand(4, 3), torch.rand(4, 2)
    nested = ContextMap(Chain([ContextMap(inner, itemgetter(1))]), lambda c: (None, c + 1))
    assert torch.equal(nested(x, context)[0], inner(x, context + 1)[0])


def test_a_module_trains_with_the_flow_and_runs_once_when_bound() -> None:
    encoder = nn.Linear(5, 2)
    calls: list[Tensor] = []
    encoder.register_forward_hook(lambda _module, _args, output: calls.append(output))
    flow = ContextMap(injector(), encoder)
    assert {id(p) for p in encoder.parameters()} <= {id(p) for p in flow.parameters()}
    bound = flow.bind(torch.rand(4, 5))
    bound.inverse(bound(torch.rand(4, 3))[0])[0].sum().backward()
    assert len(calls) == 1
    assert encoder.weight.grad is not None


def test_shapes_are_those_of_the_bijector_within() -> None:
    mapped = ContextMap(Squeeze(), itemgetter(0))
    assert mapped.event_dims == 3
    assert mapped.output_shape((3, 4, 6)) == (12, 2, 3)
    assert mapped.input_shape((12, 2, 3)) == (3, 4, 6)
