"""DeFlow whose weights are in half precision, beside the same one in single precision."""

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from flowkit import bits_per_dim
from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.method.latents import Domain, LatentLabel, LatentModel
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.method.normalization import ColourNormalization
from flowkit_deflow.method.shifts.binned import BinnedShift
from flowkit_deflow.method.shifts.brightness import BrightnessShift
from flowkit_deflow.method.shifts.correlated import CorrelatedShift
from flowkit_deflow.method.shifts.inferred import InferredShift
from flowkit_deflow.method.shifts.shift import DomainShift
from flowkit_deflow.method.shifts.uncorrelated import UncorrelatedShift
from tests.flowkit_deflow.networks import NORMALIZATION, TINY, crops, move_shift, perturbed

# Half a unit in the last place: what rounding a number of size 1 to this precision costs.
ROUNDING = {torch.bfloat16: 2**-8, torch.float16: 2**-11}
half = pytest.mark.parametrize("dtype", ROUNDING, ids=["bfloat16", "float16"])

SHIFTS: list[Callable[[int], DomainShift]] = [
    CorrelatedShift,
    UncorrelatedShift,
    InferredShift,
    BinnedShift,
    BrightnessShift,
]


# What the flow is conditioned on, at the resolution of the second level.
H = torch.rand(2, 3, 2, 2, generator=torch.Generator().manual_seed(9))


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def in_both(make: Callable[[int], DomainShift], dtype: torch.dtype) -> tuple[LatentModel, LatentModel]:
    """A latent model of half-precision weights, and one of the same weights, exactly, in float32."""
    model = LatentModel([make(6), make(12)])
    for shift in model.shifts:
        move_shift(shift, 0.2, seeded())
    model = model.to(dtype).requires_grad_(False)
    return model, copy.deepcopy(model).float()


def latents(seed: int, dtype: torch.dtype) -> tuple[Tensor, ...]:
    generator = seeded(seed)
    return tuple(torch.randn(2, *shape, generator=generator).to(dtype) for shape in ((6, 4, 4), (12, 2, 2)))


@half
@pytest.mark.parametrize("make", SHIFTS)
class TestLatents:
    def test_densities_are_those_of_the_same_numbers_in_float32(
        self, make: Callable[[int], DomainShift], dtype: torch.dtype
    ) -> None:
        model, single = in_both(make, dtype)
        z, other = latents(0, dtype), latents(1, dtype)
        z32, other32 = tuple(level.float() for level in z), tuple(level.float() for level in other)
        for domain in Domain:
            density = model.log_prob(z, LatentLabel(domain, H))
            assert density.dtype == torch.float32
            torch.testing.assert_close(density, single.log_prob(z32, LatentLabel(domain, H)))
        torch.testing.assert_close(model.log_prob_pair(z, other, H), single.log_prob_pair(z32, other32, H))

    def test_what_is_drawn_is_rounded_once(self, make: Callable[[int], DomainShift], dtype: torch.dtype) -> None:
        model, single = in_both(make, dtype)
        z, *noise = (latents(seed, dtype) for seed in range(3))
        z32, *noise32 = (tuple(level.float() for level in part) for part in (z, *noise))
        pairs = [
            (
                model.restore(z, list(zip(*noise, strict=True)), h=H),
                single.restore(z32, list(zip(*noise32, strict=True)), h=H),
            ),
            (tuple(p.mean for p in model.posterior(z, H)), tuple(p.mean for p in single.posterior(z32, H))),
            (
                tuple(field.draw(n) for field, n in zip(model.fields(z, H), noise[0], strict=True)),
                tuple(field.draw(n) for field, n in zip(single.fields(z32, H), noise32[0], strict=True)),
            ),
        ]
        for got, expected in pairs:
            for level, precise in zip(got, expected, strict=True):
                assert level.dtype == dtype
                torch.testing.assert_close(level.float(), precise, atol=1e-5, rtol=ROUNDING[dtype])


@half
class TestColours:
    @pytest.mark.parametrize("domain", list(Domain))
    def test_the_statistics_stay_exact(self, dtype: torch.dtype, domain: Domain) -> None:
        single, converted = ColourNormalization(NORMALIZATION), ColourNormalization(NORMALIZATION).to(dtype)
        images = torch.rand(2, 3, 8, 8, generator=seeded()).to(dtype)
        for method in ("to_shared", "h_to_shared", "back"):
            got = getattr(converted, method)(images, domain)
            assert got.dtype == dtype
            # At zero, rounding is that of the terms of the sum, at most 1.6.
            expected = getattr(single, method)(images.float(), domain)
            torch.testing.assert_close(got.float(), expected, atol=1e-6, rtol=ROUNDING[dtype])
        assert torch.equal(converted.log_det(images, domain), single.log_det(images.float(), domain))

    def test_h_gets_its_noise(self, dtype: torch.dtype) -> None:
        architecture = replace(TINY, normalization=NORMALIZATION)
        images, noise = crops(2, 16).to(dtype), torch.randn(2, 3, 4, 4, generator=seeded())
        h = DeFlow(architecture).to(dtype).h(images, Domain.CLEAN, noise)
        expected = DeFlow(architecture).h(images.float(), Domain.CLEAN, noise)
        assert h is not None
        assert expected is not None
        assert h.dtype == dtype
        # Rounded three times: after downsampling, in the shared colours and with the noise; values up to 1.1.
        torch.testing.assert_close(h.float(), expected, atol=4 * ROUNDING[dtype], rtol=0)


def test_a_normalization_made_on_the_meta_device_keeps_its_statistics() -> None:
    with torch.device("meta"):
        made = ColourNormalization(NORMALIZATION)
    images = torch.rand(2, 3, 8, 8, generator=seeded())
    expected = ColourNormalization(NORMALIZATION).to_shared(images, Domain.CLEAN)
    assert torch.equal(made.to_empty(device="cpu").to_shared(images, Domain.CLEAN), expected)


@half
@pytest.mark.parametrize("coupling", ["affine", "additive"])
class TestTheWholeModel:
    """Each of some ten layers rounds once: the errors of the whole are a few roundings of a number of size 1."""

    @pytest.fixture
    def models(self, dtype: torch.dtype, coupling: Any) -> tuple[DeFlow, DeFlow]:
        model = perturbed(replace(TINY, normalization=NORMALIZATION, coupling=coupling), 0.01)
        return copy.deepcopy(model).to(dtype), model

    def test_log_prob(self, dtype: torch.dtype, coupling: str, models: tuple[DeFlow, DeFlow]) -> None:
        model, single = models
        images, domains = crops(2, 32), torch.tensor([0, 1])
        got = model.log_prob(images.to(dtype), domains, generator=seeded())
        assert got.dtype == torch.float32
        bits, expected = (
            bits_per_dim(log_prob, images[0].numel())
            for log_prob in (got, single.log_prob(images, domains, generator=seeded()))
        )
        torch.testing.assert_close(bits, expected, atol=8 * ROUNDING[dtype], rtol=0)

    @pytest.mark.parametrize("method", ["degrade", "restore"])
    def test_images(self, dtype: torch.dtype, coupling: str, models: tuple[DeFlow, DeFlow], method: str) -> None:
        model, single = models
        images = crops(2, 32)
        # Single precision in and out: the model converts.
        got = getattr(model, method)(images, 0.5, noise=SeededNoise(0, ""))
        expected = getattr(single, method)(images, 0.5, noise=SeededNoise(0, ""))
        assert got.dtype == torch.float32
        assert (got - expected).abs().mean() < 2 * ROUNDING[dtype]
