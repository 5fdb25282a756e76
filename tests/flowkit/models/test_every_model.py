"""What every model keeps, whatever it is."""

import copy
import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from flowkit.bijectors.actnorm import initialize
from flowkit.models.registry import BUILT_IN, list_models
from flowkit.models.storage import load_model, save_model
from flowkit.testing.properties.log_det import log_det_by_autograd
from tests.flowkit.models.settings import MODELS, context_for, data, entangled, made, ready

every = pytest.mark.parametrize("name", MODELS)
conditional = pytest.mark.parametrize("name", [name for name in MODELS if "conditional" in name])
unconditional = pytest.mark.parametrize("name", [name for name in MODELS if "conditional" not in name])


def flat(latents: Any) -> Tensor:
    return torch.cat([part.flatten() for part in (latents if isinstance(latents, tuple) else (latents,))])


def test_every_model_is_here() -> None:
    assert {model_name for model_name, _ in MODELS.values()} == set(BUILT_IN)
    assert set(list_models()) >= set(BUILT_IN)


@every
@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_densities_of_any_batch_shape(name: str, batch: tuple[int, ...]) -> None:
    flow = ready(name)
    log_prob = flow.log_prob(data(flow, *batch), context_for(name, *batch))
    assert log_prob.shape == batch
    assert log_prob.dtype == torch.float64
    assert log_prob.isfinite().all()


@every
def test_densities_by_the_change_of_variables(name: str) -> None:
    flow = ready(name)
    x, context = data(flow, 1), context_for(name, 1)
    supports = flow.bijector.data_support(), flow.bijector.latent_support()
    z, _ = flow.bijector(x, context)
    expected = flow.base.log_prob(z) + log_det_by_autograd(flow.bijector.forward, x, context, supports)
    # The adaptive solver's tolerance is 4e-11 in float64.
    torch.testing.assert_close(flow.log_prob(x, context), expected, rtol=1e-7, atol=1e-7)


@every
def test_samples_are_latents_sent_back(name: str) -> None:
    flow = ready(name)
    assert flow.event_shape is not None
    generator = torch.Generator().manual_seed(0)
    x = flow.sample(5, context=context_for(name, 1), generator=generator).detach()
    assert x.shape == (5, *flow.event_shape)
    assert x.dtype == torch.float64
    z, _ = flow.bijector(x, context := context_for(name, 5))
    back, _ = flow.bijector.inverse(z, context)
    torch.testing.assert_close(back, x, rtol=1e-7, atol=1e-7)


@conditional
def test_the_context_counts_and_is_needed(name: str) -> None:
    flow = ready(name)
    x = data(flow, 4)
    one, other = context_for(name, 4), context_for(name, 4)
    assert not torch.allclose(flow.log_prob(x, one), flow.log_prob(x, other))
    with pytest.raises(ValueError, match="context"):
        flow.log_prob(x)


@unconditional
def test_a_context_that_is_not_taken_is_refused(name: str) -> None:
    flow = ready(name).double()
    x = data(flow, 4)
    for context in (torch.zeros(4, 2, dtype=torch.float64), x, [0.5], "context"):
        with pytest.raises((TypeError, ValueError), match="context"):
            flow.log_prob(x, context)
        with pytest.raises((TypeError, ValueError), match="context"):
            flow.sample(4, context=context)


@conditional
def test_a_context_of_another_kind_is_named(name: str) -> None:
    flow = ready(name).double()
    x, context = data(flow, 4), context_for(name, 4)
    assert context is not None
    for wrong in (context.numpy(), context.tolist(), (context,), {"context": context}, 0.5, context.float()):
        with pytest.raises(TypeError, match=r"the context is "):
            flow.log_prob(x, wrong)
    # Refused by an event dimension of the context, the second here.
    with pytest.raises(ValueError, match=r"this network takes .*, got "):
        flow.log_prob(x, torch.cat([context, context], 1))
    with pytest.raises(ValueError, match=r"convert the context by context\.to\('cpu'\)"):
        flow.log_prob(x, context.to("meta"))


@every
def test_data_of_another_kind_is_named(name: str) -> None:
    flow = made(name).double()
    x, context = data(flow, 4), context_for(name, 4)
    for wrong, said in [
        (x.numpy(), "the data is a ndarray"),
        ([x], r"take the tensor, batch\[0\]"),
        (x.float(), r"convert the data by x\.to\(torch\.float64\)"),
        (x.long(), "takes floating-point tensors"),
        (x.to_sparse(), r"x\.to_dense"),
    ]:
        with pytest.raises(TypeError, match=said):
            flow.log_prob(wrong, context)
    for shape in ((4, *x.shape), (4, 2 * x.shape[1], *x.shape[2:])):
        with pytest.raises(ValueError, match="this flow takes events of"):
            flow.sample(4, shape[1:], context=context)
    with pytest.raises(ValueError, match="this flow takes events of"):
        flow.log_prob(torch.cat([x, x], 1), context)


@every
def test_training_raises_the_likelihood(name: str) -> None:
    torch.manual_seed(0)
    flow = made(name).double()
    context = context_for(name, 64)
    x = entangled(flow, data(flow, 64))
    initialize(flow.bijector, x, context)
    optimizer = torch.optim.Adam(flow.parameters(), lr=0.02)
    before = flow.eval().log_prob(x, context).mean().item()
    flow.train()
    for _ in range(6):
        optimizer.zero_grad()
        (-flow.log_prob(x, context).mean()).backward()
        optimizer.step()
    assert all(parameter.grad is not None and parameter.grad.isfinite().all() for parameter in flow.parameters())
    assert flow.eval().log_prob(x, context).mean().item() > before + 0.01


@every
def test_it_starts_well_conditioned(name: str) -> None:
    torch.manual_seed(0)
    flow = made(name).double()
    x, context = data(flow, 64), context_for(name, 64)
    initialize(flow.bijector, x, context)
    z, log_det = flow.bijector(x, context)
    # A rotation and a normalisation at most: the spread of data of variance 1 stays.
    assert 0.5 < flat(z).std() < 2
    assert (log_det / x[0].numel()).abs().max() < 1


@every
def test_a_folder_keeps_it_bit_by_bit(name: str, tmp_path: Path) -> None:
    flow = ready(name)
    save_model(flow, tmp_path / "model")
    loaded = load_model(tmp_path / "model")
    stored, expected = loaded.state_dict(), flow.state_dict()
    assert stored.keys() == expected.keys()
    assert all(torch.equal(stored[key], expected[key]) for key in expected)
    assert all(stored[key].dtype == expected[key].dtype for key in expected)
    x, context = data(flow, 3), context_for(name, 3)
    assert torch.equal(loaded.log_prob(x, context), flow.log_prob(x, context))
    drawn = [
        m.sample(
            2,
            context=context_for(name, 1) if context is None else context[:1],
            generator=torch.Generator().manual_seed(0),
        )
        for m in (flow, loaded)
    ]
    assert torch.equal(drawn[0], drawn[1])


@every
def test_copies_travel(name: str) -> None:
    flow = ready(name)
    x, context = data(flow, 3), context_for(name, 3)
    expected = flow.log_prob(x, context)
    for travelled in (copy.deepcopy(flow), pickle.loads(pickle.dumps(flow))):
        assert torch.equal(travelled.log_prob(x, context), expected)
        assert travelled.recipe == flow.recipe
