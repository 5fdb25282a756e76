"""What a chain runs is decided once, by `prepare`, and is what its parts do by themselves."""

from typing import Any

import pytest
import torch
from torch import Tensor

import flowkit
from flowkit import (
    ActNorm,
    Chain,
    Checkpointed,
    ContextMap,
    Inverse,
    LUConv1x1,
    LULinear,
    MultiScale,
    Reversible,
    Squeeze,
    Stored,
    initialize,
)


class Shifted(ActNorm):
    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z, log_det = super()._forward(x, prepared)
        return z + 100, log_det

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        return super()._inverse(z - 100, prepared)


class Doubled(LULinear):
    def _forward(self, x: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        z, log_det = super()._forward(x, prepared)
        return 2 * z, log_det + self.channels * torch.tensor(2.0).log()

    def _inverse(self, z: Tensor, prepared: Any) -> tuple[Tensor, Tensor]:
        x, log_det = super()._inverse(z / 2, prepared)
        return x, log_det - self.channels * torch.tensor(2.0).log()


def test_a_shared_step_is_initialised() -> None:
    inner = Chain([ActNorm(3, event_dims=1), LULinear(3)])
    x = 5 + 2 * torch.randn(64, 3)
    initialize(Chain([inner, inner]), x)
    z, _ = inner.parts[0](x)
    torch.testing.assert_close(z.mean(0), torch.zeros(3), atol=1e-6, rtol=0.0)
    torch.testing.assert_close(z.std(0, correction=0), torch.ones(3))


def test_bound_then_initialised_then_called() -> None:
    chain, x = Chain([ActNorm(3, event_dims=1), LULinear(3)]), 5 + 2 * torch.randn(64, 3)
    bound = chain.bind(None)
    initialize(chain, x)
    for one, other in zip(bound(x), chain(x), strict=True):
        assert torch.equal(one, other)


@pytest.mark.parametrize("activations", [Stored(), Checkpointed(), Reversible()])
@pytest.mark.parametrize(
    "parts",
    [
        lambda: [Shifted(3, event_dims=1), LULinear(3)],
        lambda: [LULinear(3), Shifted(3, event_dims=1), LULinear(3)],
        lambda: [ActNorm(3, event_dims=1), Doubled(3)],
        lambda: [Doubled(3), ActNorm(3, event_dims=1)],
    ],
)
@pytest.mark.parametrize("grad", [True, False])
def test_a_derived_class_does_what_it_says(activations: Any, parts: Any, grad: bool) -> None:
    torch.manual_seed(0)
    chain, x = Chain(parts(), activations), torch.randn(7, 3, dtype=torch.float64)
    initialize(chain.double(), torch.randn(64, 3, dtype=torch.float64))
    expected, total = x, torch.zeros(7, dtype=torch.float64)
    with torch.set_grad_enabled(grad):
        for part in chain.parts:
            expected, log_det = part(expected)
            total = total + log_det
        z, log_det = chain(x)
        back, _ = chain.inverse(z)
    torch.testing.assert_close(z, expected)
    torch.testing.assert_close(log_det, total)
    torch.testing.assert_close(back, x)


@pytest.mark.parametrize("activations", [Stored(), Checkpointed(), Reversible()])
@pytest.mark.parametrize("grad", [True, False])
def test_hooks_of_parts_fire_and_may_change_the_result(activations: Any, grad: bool) -> None:
    inner = Chain([LUConv1x1(4), LUConv1x1(4)])
    flow = ContextMap(MultiScale([Chain([Squeeze(), Inverse(Inverse(inner))], activations)], []), lambda c: c)
    x, context = torch.randn(2, 1, 4, 4), torch.zeros(1)
    fired = []
    for name, module in flow.named_modules():
        if isinstance(module, flowkit.Bijector) and not isinstance(module, Inverse):
            module.register_forward_hook(lambda m, args, output, name=name: fired.append(name))
    with torch.set_grad_enabled(grad):
        (before,), _ = flow(x, context)
    leaves = {name for name, m in flow.named_modules() if isinstance(m, LUConv1x1 | Squeeze)}
    assert leaves <= set(fired)
    inner.parts[1].register_forward_hook(lambda m, args, output: (output[0] + 1, output[1]))
    with torch.set_grad_enabled(grad):
        (after,), _ = flow(x, context)
    torch.testing.assert_close(after, before + 1)
