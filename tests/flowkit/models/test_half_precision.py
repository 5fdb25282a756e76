"""Every model works in bfloat16 and float16: densities in float32, near those of the same numbers in float32."""

import copy

import pytest
import torch

from flowkit import create_model
from flowkit.flow import Flow
from tests.flowkit.models.settings import MODELS, context_for, data, put_back, ready

every = pytest.mark.parametrize("name", MODELS)
half = pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=["bfloat16", "float16"])

# Networks round by 2^-9 an operation in bfloat16; three layers of them move a log-density, which adds up some 3 to 16
# numbers of order 1, by that times their number. In float16 it is an eighth.
RELATIVE = {torch.bfloat16: 0.02, torch.float16: 0.005}


def pair(name: str, dtype: torch.dtype) -> tuple[Flow, Flow]:
    """A model in half precision, and one in float32 with the same rounded parameters."""
    # Farther from its start a Glow stretches some latents a hundredfold, and what its networks round with them.
    flow = ready(name, deviation=0.1).to(dtype)
    return flow, copy.deepcopy(flow).float()


def inputs(name: str, flow: Flow, dtype: torch.dtype, *batch: int) -> tuple[torch.Tensor, torch.Tensor | None]:
    context = context_for(name, *batch)
    return data(flow, *batch).to(dtype), None if context is None else context.to(dtype)


@every
@half
def test_densities(name: str, dtype: torch.dtype) -> None:
    flow, expected = pair(name, dtype)
    x, context = inputs(name, flow, dtype, 64)
    log_prob = flow.log_prob(x, context)
    exact = put_back(x.float(), flow.bijector.data_support())
    reference = expected.log_prob(exact, None if context is None else context.float())
    assert log_prob.dtype == torch.float32
    assert log_prob.isfinite().all()
    relative = (log_prob - reference).abs() / (1 + reference.abs())
    assert relative.median() < RELATIVE[dtype]


@pytest.mark.parametrize("name", [name for name in MODELS if context_for(name, 1) is not None])
@half
def test_contexts_alone_in_half_precision(name: str, dtype: torch.dtype) -> None:
    flow = ready(name).float()
    context = context_for(name, 3).to(dtype)
    x = put_back(data(flow, 3).float(), flow.bijector.data_support())
    torch.testing.assert_close(flow.log_prob(x, context), flow.log_prob(x, context.float()))
    bound = flow.bijector.bind(context)
    for got, expected in zip(bound(x), flow.bijector(x, context.float()), strict=True):
        torch.testing.assert_close(got, expected)


@every
@half
def test_latents_and_samples_are_of_its_type(name: str, dtype: torch.dtype) -> None:
    flow, _ = pair(name, dtype)
    x, context = inputs(name, flow, dtype, 4)
    z, log_det = flow.bijector(x, context)
    assert {part.dtype for part in (z if isinstance(z, tuple) else (z,))} == {dtype}
    assert log_det.dtype == torch.float32
    drawn = flow.sample(4, context=context, generator=torch.Generator().manual_seed(0))
    assert drawn.dtype == dtype
    assert drawn.isfinite().all()


@every
def test_samples_are_float32s(name: str) -> None:
    flow, expected = pair(name, torch.bfloat16)
    _, context = inputs(name, flow, torch.bfloat16, 64)
    z, _ = flow.bijector(*inputs(name, flow, torch.bfloat16, 64)[:1], context)
    support = flow.bijector.latent_support()
    as_float = tuple(part.float() for part in z) if isinstance(z, tuple) else put_back(z.float(), support)
    x, _ = flow.bijector.inverse(z, context)
    reference, _ = expected.bijector.inverse(as_float, None if context is None else context.float())
    error = ((x.float() - reference).abs() / (1 + reference.abs())).flatten(1).amax(1)
    assert error.median() < 0.02


@every
@half
def test_data_in_float32_are_answered_in_float32(name: str, dtype: torch.dtype) -> None:
    flow, _ = pair(name, dtype)
    x, context = inputs(name, flow, torch.float32, 4)
    z, _ = flow.bijector(x, context)
    assert {part.dtype for part in (z if isinstance(z, tuple) else (z,))} == {torch.float32}
    assert flow.log_prob(x, context).isfinite().all()
    back, _ = flow.bijector.inverse(z, context)
    # The networks see the same numbers both ways but for what float32 rounds, which may turn a rounding in few.
    assert ((back - x).abs() / (1 + x.abs())).median() < 1e-3


@every
@half
def test_training(name: str, dtype: torch.dtype) -> None:
    flow, expected = pair(name, dtype)
    x, context = inputs(name, flow, dtype, 64)
    flow.train()
    loss = -flow.log_prob(x, context).mean()
    loss.backward()
    assert all(p.grad is not None and p.grad.dtype == dtype for p in flow.parameters())
    assert all(p.grad.isfinite().all() for p in flow.parameters())  # type: ignore[union-attr]
    if "estimated" in name:
        return
    expected.train()
    exact = put_back(x.float(), flow.bijector.data_support())
    (-expected.log_prob(exact, None if context is None else context.float()).mean()).backward()
    got, wanted = (torch.cat([p.grad.float().flatten() for p in m.parameters()]) for m in (flow, expected))  # type: ignore[union-attr]
    assert torch.nn.functional.cosine_similarity(got, wanted, dim=0) > 0.99


def test_the_adaptive_solver_ends() -> None:
    flow = create_model("ffjord", features=3, hidden=[8]).bfloat16()
    assert isinstance(flow, Flow)
    x = torch.randn(16, 3)
    log_prob = flow.log_prob(x.bfloat16())
    log_prob.sum().backward()
    # The field is computed in float32 from the same parameters, and the latents are rounded to bfloat16 at the end.
    expected = copy.deepcopy(flow).float().log_prob(x.bfloat16().float())
    torch.testing.assert_close(log_prob, expected, rtol=0.02, atol=0.02)
