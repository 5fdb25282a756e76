"""How affine autoregressive flows start."""

from typing import Any

import pytest
import torch

import flowkit


@pytest.mark.parametrize("setting", [{}, {"passes": 2}, {"context_features": 2}])
def test_a_new_maf_shifts_and_keeps_volumes(setting: dict[str, Any]) -> None:
    flow = flowkit.maf(4, layers=3, hidden=(16,), **setting)
    x = torch.randn(50, 4)
    context = torch.randn(50, 2) if "context_features" in setting else None
    z, log_det = flow.bijector(x, context)
    assert torch.equal(log_det, torch.zeros(50))
    # Three layers, each of which shifts by about as much as a linear layer of torch's gives.
    unmoved = x.flip(-1)
    assert 0.01 < (z - unmoved).std() < 1
    assert not torch.equal(z.std(0), unmoved.std(0))


def test_couplings_of_a_new_realnvp_keep_volumes() -> None:
    flow = flowkit.realnvp(4, layers=3, hidden=(16,))
    x = torch.randn(50, 4)
    z, log_det = flow.bijector(x)
    assert torch.equal(log_det, torch.zeros(50))
    assert 0.01 < (z - x).std() < 1
