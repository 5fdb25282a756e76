from dataclasses import replace
from typing import Any

import pytest
import torch

from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.method.binning import with_binned_shifts
from flowkit_deflow.settings.schema import Architecture
from tests.flowkit_deflow.networks import NORMALIZATION, TINY, UNCONDITIONAL, crops, perturbed


@pytest.mark.parametrize("shift", ["correlated", "uncorrelated", "none"])
def test_before_it_is_measured_the_model_does_what_it_did(shift: Any) -> None:
    model = perturbed(replace(TINY, shift=shift, normalization=NORMALIZATION))
    binned = with_binned_shifts(model, (3, 2))
    assert binned.config == replace(model.config, shift="binned", shift_classes=(3, 2))
    assert not binned.training
    images = crops(2, 16)
    for name in ("degrade", "restore"):
        results = [getattr(m, name)(images, noise=SeededNoise(0, "")) for m in (model, binned)]
        assert torch.equal(*results)


def test_the_model_stays_as_it_is() -> None:
    model = perturbed(TINY)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    binned = with_binned_shifts(model, (2, 1))
    with torch.no_grad():
        for value in binned.parameters():
            value.add_(1)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_a_binned_model_gets_other_classes_and_is_to_be_measured_again() -> None:
    model = perturbed(replace(TINY, shift="binned", shift_classes=(3, 2)))
    binned = with_binned_shifts(model, (4, 1))
    assert [shift.state_dict()["measured"].item() for shift in binned.latents.shifts] == [False, False]
    assert torch.equal(binned.latents.shifts[0].factor, model.latents.shifts[0].factor)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_precision_stays(dtype: torch.dtype) -> None:
    binned = with_binned_shifts(perturbed(TINY).to(dtype), (2, 1))
    assert {parameter.dtype for parameter in binned.parameters()} == {dtype}


@pytest.mark.parametrize(
    ("architecture", "classes"), [(UNCONDITIONAL, (2, 1)), (TINY, (0, 1))], ids=["no conditioning", "no class"]
)
def test_classes_that_do_not_fit(architecture: Architecture, classes: tuple[int, int]) -> None:
    with pytest.raises(ValueError, match="shift_classes"):
        with_binned_shifts(perturbed(architecture), classes)
