"""The shift of a model measured on batches of both domains."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from flowkit_deflow.method.binning import with_binned_shifts
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.method.shifts.binned import BinnedShift
from flowkit_deflow.method.shifts.inferred import InferredShift
from flowkit_deflow.settings.schema import Architecture
from flowkit_deflow.training.data import Batch
from flowkit_deflow.training.inputs import network_inputs
from flowkit_deflow.training.shift_inference import infer_shifts
from tests.flowkit_deflow.networks import NORMALIZATION, TINY, UNCONDITIONAL, crops, perturbed

# Float64 sums of a few thousand numbers, rounded to the buffers' float32.
TOLERANCE: dict[str, Any] = {"atol": 1e-5, "rtol": 1e-5}
FEW_CHANNELS = replace(TINY, levels=1, split_after=())
BINNED = replace(FEW_CHANNELS, shift="binned", shift_classes=(2, 2))


def fresh(architecture: Architecture) -> DeFlow:
    """A model with perturbed weights whose shift is not measured yet."""
    model = perturbed(architecture)
    for shift in model.latents.shifts:
        if isinstance(shift, BinnedShift):
            shift.measured.fill_(False)
    return model


def batches(model: DeFlow, count: int = 6, pairs: bool = False) -> Callable[[], Iterator[Batch]]:
    """Clean and noisy photographs in turn; the noise grows with the brightness."""

    def one(step: int) -> Batch:
        generator = torch.Generator().manual_seed(step)
        images = crops(8, 32, seed=step)
        if pairs:
            images[1::2] = images[::2]
        noise = torch.randn(images[1::2].shape, generator=generator)
        factor = model.config.h_factor
        h = None if factor is None else torch.nn.functional.avg_pool2d(images, factor)
        images[1::2] += 0.2 * images[1::2] * noise
        return Batch(
            images=images,
            h=h,
            domain=torch.tensor([0, 1] * 4),
            h_noise=None if h is None else torch.randn(h.shape, generator=generator),
            dequantization=torch.rand(images.shape, generator=generator),
            source=torch.zeros(8, dtype=torch.int64),
            problems=[],
        )

    return lambda: (one(step) for step in range(count))


def latents_of(model: DeFlow, made: Callable[[], Iterator[Batch]]) -> tuple[Tensor, Tensor, Tensor]:
    """All latents of the deepest level, their domains, and h."""
    z, domains, h = [], [], []
    for batch in made():
        images, own = network_inputs(model, batch)
        assert own is not None
        with torch.no_grad():
            z.append(model.bijector(model.normalization.to_shared(images, batch["domain"]), own)[0][-1])
        domains.append(batch["domain"])
        h.append(own)
    return torch.cat(z), torch.cat(domains), torch.cat(h)


def covariance(z: Tensor, weights: Tensor) -> Tensor:
    columns, share = z.double().movedim(1, 0).flatten(1), weights.double().flatten()
    return columns.cov(correction=0, aweights=share)


@pytest.mark.parametrize("architecture", [BINNED, replace(BINNED, normalization=NORMALIZATION)])
def test_every_class_gets_the_difference_of_the_covariances(architecture: Architecture) -> None:
    model = fresh(architecture)
    made = batches(model)
    infer_shifts(model, made)
    (shift,) = model.latents.shifts
    assert isinstance(shift, BinnedShift)
    z, domains, h = latents_of(model, made)
    weights = shift.class_weights(h, len(z), (z.shape[-2], z.shape[-1]))
    for k in range(shift.classes):
        clean, degraded = (covariance(z[domains == d], weights[domains == d, k]) for d in Domain)
        torch.testing.assert_close((shift.clean_root[k] @ shift.clean_root[k]).double(), clean, **TOLERANCE)
        values, vectors = torch.linalg.eigh(degraded - clean)
        expected = vectors * values.clamp_min(1e-6) @ vectors.T
        torch.testing.assert_close((shift.class_root[k] @ shift.class_root[k]).double(), expected, **TOLERANCE)


def test_bright_places_have_more_noise_where_it_grows_with_the_brightness() -> None:
    model = fresh(BINNED)
    infer_shifts(model, batches(model))
    (shift,) = model.latents.shifts
    assert isinstance(shift, BinnedShift)
    dark, bright = shift.class_root.square().sum((1, 2)).reshape(2, 2)
    assert (bright > dark).all()


def test_pairs_are_measured_by_their_differences() -> None:
    model = fresh(BINNED)
    made = batches(model, pairs=True)
    infer_shifts(model, made, pairs=True)
    (shift,) = model.latents.shifts
    assert isinstance(shift, BinnedShift)
    z, _, h = latents_of(model, made)
    weights = shift.class_weights(h, len(z), (z.shape[-2], z.shape[-1]))[1::2]
    for k in range(shift.classes):
        expected = covariance(z[1::2] - z[::2], weights[:, k])
        torch.testing.assert_close((shift.class_root[k] @ shift.class_root[k]).double(), expected, **TOLERANCE)


def test_without_conditioning_all_places_are_measured_together() -> None:
    inferred = fresh(replace(UNCONDITIONAL, levels=1, split_after=(), shift="none"))
    pooled = with_binned_shifts(inferred, (1, 1))
    for model in (pooled, inferred):
        infer_shifts(model, batches(model))
    (one,), (other,) = pooled.latents.shifts, inferred.latents.shifts
    assert isinstance(one, BinnedShift)
    assert isinstance(other, InferredShift)
    torch.testing.assert_close(one.class_root[0], other.factor, **TOLERANCE)


def test_every_level_is_measured() -> None:
    model = fresh(replace(TINY, shift="binned", shift_classes=(2, 1)))
    infer_shifts(model, batches(model))
    for shift in model.latents.shifts:
        assert isinstance(shift, BinnedShift)
        assert bool(shift.measured)
        assert shift.brightness_centres[0] < shift.brightness_centres[1]


def test_a_shift_that_was_trained_stays_as_it_is() -> None:
    model = perturbed(TINY)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    infer_shifts(model, batches(model, 1))
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())


def test_the_flow_and_the_trained_part_stay_as_they_are() -> None:
    model = fresh(BINNED)
    before = {key: value.clone() for key, value in model.named_parameters()}
    infer_shifts(model, batches(model))
    assert all(torch.equal(value, before[key]) for key, value in model.named_parameters())
