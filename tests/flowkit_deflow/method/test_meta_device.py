"""A DeFlow model is made without values and filled by a state dict, its colour maps included."""

import copy
from dataclasses import replace

import pytest
import torch

from flowkit_deflow.method.model import DeFlow
from tests.flowkit_deflow.networks import NORMALIZATION, TINY

ARCHITECTURE = replace(TINY, normalization=NORMALIZATION)


@pytest.mark.parametrize("assign", [False, True], ids=["to_empty", "assign"])
def test_made_without_values_and_filled(assign: bool) -> None:
    torch.manual_seed(0)
    images, domains = torch.rand(4, 3, 16, 16), torch.tensor([0, 1, 0, 1])
    expected = DeFlow(ARCHITECTURE).eval()
    expected.initialize(images, domains)
    with torch.device("meta"):
        model = DeFlow(ARCHITECTURE).eval()
    if not assign:
        model.to_empty(device="cpu")
    model.load_state_dict(copy.deepcopy(expected.state_dict()), assign=assign)
    assert torch.equal(model.log_prob(images, domains), expected.log_prob(images, domains))
    noise = [torch.Generator().manual_seed(0) for _ in range(2)]
    assert torch.equal(model.degrade(images[:1], generator=noise[0]), expected.degrade(images[:1], generator=noise[1]))


def test_shapes_without_values() -> None:
    model = DeFlow(ARCHITECTURE).to("meta")
    images, domains = torch.rand(4, 3, 16, 16, device="meta"), torch.tensor([0, 1, 0, 1], device="meta")
    assert model.log_prob(images, domains).shape == (4,)
