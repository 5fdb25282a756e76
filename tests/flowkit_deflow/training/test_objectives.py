from dataclasses import replace

import pytest
import torch
from torch import Tensor

from flowkit_deflow.method.latents import Domain
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.settings.schema import Architecture
from flowkit_deflow.training.objectives import marginal_log_prob, paired_log_prob
from tests.flowkit_deflow.networks import TINY, UNCONDITIONAL, crops, perturbed

SEED = 4


def batch(architecture: Architecture) -> tuple[DeFlow, Tensor, Tensor, Tensor | None]:
    """A model, pairs of images one after the other, their domains, and the h of each pair's clean image."""
    model = perturbed(architecture, dtype=torch.float64)
    clean = crops(3, 16, seed=2).double()
    degraded = clean + 0.05 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(1), dtype=clean.dtype)
    images = torch.stack([clean, degraded], 1).flatten(0, 1)
    domain = torch.tensor([Domain.CLEAN, Domain.DEGRADED] * 3)
    if architecture.h_factor is None:
        return model, images, domain, None
    noise = torch.randn(3, 3, 4, 4, generator=torch.Generator().manual_seed(SEED))
    h = model.h(clean, Domain.CLEAN, noise)
    assert h is not None
    return model, images, domain, h.repeat_interleave(2, dim=0)


@pytest.mark.parametrize(
    "architecture",
    [TINY, UNCONDITIONAL, replace(TINY, shift="brightness"), replace(TINY, coupling="additive", shift="binned")],
    ids=["tiny", "unconditional", "brightness", "additive and binned"],
)
def test_a_pair_is_scored_by_equation_5(architecture: Architecture) -> None:
    model, images, domain, h = batch(architecture)
    value = paired_log_prob(model, images, domain, h)
    clean, degraded = images[::2], images[1::2]
    own_h = None if h is None else h[::2]
    torch.testing.assert_close(value[::2], model.log_prob(clean, Domain.CLEAN, own_h))
    # The model draws h's noise itself, from this seed.
    given_clean = model.log_prob_pair(clean, degraded, torch.Generator().manual_seed(SEED))
    torch.testing.assert_close(value[1::2], given_clean)


def test_it_trains_every_parameter() -> None:
    model, images, domain, h = batch(TINY)
    paired_log_prob(model, images, domain, h).sum().backward()
    assert [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None] == []


def test_the_marginal_objective_is_the_models_likelihood() -> None:
    model, images, domain, h = batch(TINY)
    assert torch.equal(marginal_log_prob(model, images, domain, h), model.log_prob(images, domain, h))
