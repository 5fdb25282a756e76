import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from flowkit import Flow
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.images.resize import bicubic_downsample
from flowkit_deflow.method.latents import Domain, LatentLabel
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.method.shifts.correlated import CorrelatedShift
from flowkit_deflow.settings.schema import Architecture
from flowkit_deflow.state_files import read_state, write_state
from tests.flowkit_deflow.networks import NORMALIZATION, TINY, UNCONDITIONAL, crops, perturbed, photograph

NORMALIZED = replace(TINY, normalization=NORMALIZATION)
EVERY = [
    TINY,
    UNCONDITIONAL,
    NORMALIZED,
    replace(TINY, shift="uncorrelated", scale="sigmoid"),
    replace(TINY, shift="none", split_after=(), factor=8),
    replace(TINY, shift="binned", shift_classes=(3, 2), normalization=NORMALIZATION),
    replace(UNCONDITIONAL, shift="binned", shift_classes=(1, 1)),
    replace(TINY, shift="brightness", coupling="additive"),
]
NAMES = ["tiny", "unconditional", "normalized", "uncorrelated", "none", "binned", "pooled", "brightness"]
every = pytest.mark.parametrize("architecture", EVERY, ids=NAMES)

# Float32 there and back through the few layers of `tiny`, for values in [0, 1].
THERE_AND_BACK: dict[str, Any] = {"atol": 1e-4, "rtol": 0.0}
DOUBLE: dict[str, Any] = {"atol": 1e-9, "rtol": 1e-9}


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def grey(model: DeFlow, count: int = 2, side: int = 16) -> Tensor:
    """Photographs of weak contrast: what is made of them stays inside [0, 1], where nothing is clipped."""
    dtype = next(model.parameters()).dtype
    return (0.5 + 0.1 * (crops(count, side, seed=5) - 0.5)).to(dtype)


class Silence:
    """A source of noise that is silent about h."""

    def __init__(self, seed: int = 0) -> None:
        self.seeded = SeededNoise(seed, "")

    def __call__(self, use: str, shape: Sequence[int]) -> Tensor:
        noise = self.seeded(use, shape)
        return torch.zeros_like(noise) if use == "h" else noise


class TestDegrade:
    @every
    @pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3), (16, 16), (9, 22)])
    def test_without_temperature_it_gives_the_image_back(
        self, architecture: Architecture, size: tuple[int, int]
    ) -> None:
        model = perturbed(architecture)
        images = photograph()[..., 100 : 100 + size[0], 200 : 200 + size[1]].repeat(2, 1, 1, 1)
        torch.testing.assert_close(model.degrade(images, 0.0), images, **THERE_AND_BACK)

    @every
    def test_it_adds_u_to_the_latents(self, architecture: Architecture) -> None:
        model = perturbed(architecture, dtype=torch.float64)
        x = grey(model)
        noise = SeededNoise(3, "an image")
        y = model.degrade(x, 0.1, noise=noise)
        assert 0 < y.min() < y.max() < 1
        h = None
        if architecture.h_factor is not None:
            downsampled = bicubic_downsample(x, architecture.h_factor)
            h = model.noisy_h(downsampled, Domain.CLEAN, noise("h", downsampled.shape))
        bound = model.bijector.bind(h)
        # The degraded image is a version of the clean one, in the clean one's colours.
        z_x, z_y = (bound(model.normalization.to_shared(images, Domain.CLEAN))[0] for images in (x, y))
        for level, (before, after, field) in enumerate(zip(z_x, z_y, model.latents.fields(z_x, h), strict=True)):
            u = field.draw(noise(f"sample 0 draw 0 level {level}", before.shape).double())
            torch.testing.assert_close(after - before, 0.1 * u.detach(), atol=1e-9, rtol=0)

    def test_results_are_images(self) -> None:
        # Hot enough to leave [0, 1] at many pixels, not so hot that a random network overflows.
        images = perturbed(TINY).degrade(crops(2, 16), 10.0, generator=torch.Generator().manual_seed(0))
        assert images.min() == 0
        assert images.max() == 1

    def test_one_h_serves_all_samples(self) -> None:
        # At temperature 0 the only noise left is that of h, and it leaves the image alone; two samples that differ
        # do so by u only, which the same h decodes.
        model = perturbed(TINY, dtype=torch.float64)
        x, noise = grey(model), SeededNoise(0, "")
        three = model.degrade(x, 0.1, samples=3, noise=noise)
        assert 0 < three.min() < three.max() < 1
        h = model.noisy_h(bicubic_downsample(x, 4), Domain.CLEAN, noise("h", (2, 3, 4, 4)))
        bound = model.bijector.bind(h)
        (z, *deeper), _ = bound(x)
        for s, y in enumerate(three):
            u = model.latents.fields((z, *deeper), h)[0].draw(noise(f"sample {s} draw 0 level 0", z.shape).double())
            torch.testing.assert_close(bound(y)[0][0], z + 0.1 * u, atol=1e-9, rtol=0)


def degrade(model: DeFlow, images: Tensor, **settings: Any) -> Tensor:
    return model.degrade(images, **settings)


def restore(model: DeFlow, images: Tensor, **settings: Any) -> Tensor:
    return model.restore(images, **settings)


def sample_clean(model: DeFlow, images: Tensor, **settings: Any) -> Tensor:
    return model.sample(images, Domain.CLEAN, **settings)


def sample_degraded(model: DeFlow, images: Tensor, **settings: Any) -> Tensor:
    return model.sample(images, Domain.DEGRADED, **settings)


@every
@pytest.mark.parametrize("method", [degrade, restore, sample_clean, sample_degraded])
class TestEveryMethod:
    @pytest.mark.parametrize("size", [(1, 1), (1, 7), (5, 3), (17, 12)])
    def test_shapes_and_range(self, architecture: Architecture, method: Any, size: tuple[int, int]) -> None:
        model, images = perturbed(architecture), torch.rand(2, 3, *size, generator=seeded())
        one, three = method(model, images), method(model, images, samples=3)
        assert one.shape == images.shape
        assert three.shape == (3, *images.shape)
        assert method(model, images, samples=1).shape == (1, *images.shape)
        for result in (one, three):
            assert result.dtype == torch.float32
            assert bool(result.isfinite().all())
            assert result.min() >= 0
            assert result.max() <= 1

    def test_the_generator_decides(self, architecture: Architecture, method: Any) -> None:
        model = perturbed(architecture)
        images = grey(model)
        first, again, other = (method(model, images, generator=seeded(s)) for s in (0, 0, 1))
        assert torch.equal(first, again)
        assert not torch.equal(first, other)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            assert torch.equal(method(model, images), first)

    def test_samples_differ_and_the_first_does_not_depend_on_their_number(
        self, architecture: Architecture, method: Any
    ) -> None:
        model = perturbed(architecture)
        images = grey(model)
        three = method(model, images, samples=3, generator=seeded())
        assert torch.equal(three[0], method(model, images, generator=seeded()))
        # Moved by far more than rounding.
        for i, j in ((0, 1), (0, 2), (1, 2)):
            assert (three[i] - three[j]).abs().mean() > 1e-4

    def test_double_precision_goes_through(self, architecture: Architecture, method: Any) -> None:
        model = perturbed(architecture, dtype=torch.float64)
        images = grey(model)
        result = method(model, images, noise=SeededNoise(0, ""))
        assert result.dtype == torch.float64
        # The same network in single precision does the same, to single precision.
        single = method(perturbed(architecture), images.float(), noise=SeededNoise(0, ""))
        torch.testing.assert_close(single.double(), result, atol=2e-3, rtol=0)

    def test_tiles_change_nothing_in_small_images(self, architecture: Architecture, method: Any) -> None:
        # The margin covers all of the image: what is left is the order of additions.
        model = perturbed(architecture, dtype=torch.float64)
        images = grey(model, side=48)
        whole, tiled = (method(model, images, noise=SeededNoise(0, ""), tile=tile) for tile in (None, 16))
        torch.testing.assert_close(tiled, whole, atol=1e-9, rtol=0)

    def test_it_leaves_no_gradients(self, architecture: Architecture, method: Any) -> None:
        model = perturbed(architecture)
        assert not method(model, grey(model)).requires_grad


class TestRestore:
    @every
    def test_without_temperature_it_decodes_the_posteriors_mean(self, architecture: Architecture) -> None:
        model = perturbed(architecture, dtype=torch.float64)
        y = grey(model)
        noise = Silence()
        h = model.h(y, Domain.DEGRADED)
        bound = model.bijector.bind(h)
        z, _ = bound(model.normalization.to_shared(y, Domain.DEGRADED))
        expected, _ = bound.inverse(tuple(p.mean for p in model.latents.posterior(z, h)))
        expected = expected.detach().clamp(0, 1)
        assert ((expected > 0) & (expected < 1)).double().mean() > 0.9
        torch.testing.assert_close(model.restore(y, 0.0, noise=noise), expected, atol=1e-9, rtol=0)

    @every
    def test_without_temperature_it_is_the_same_each_time(self, architecture: Architecture) -> None:
        model = perturbed(architecture)
        y = grey(model)
        assert torch.equal(model.restore(y, 0.0, generator=seeded(0)), model.restore(y, 0.0, generator=seeded(1)))

    def test_it_takes_the_degradation_away(self) -> None:
        # Clean images drawn from the model itself, degraded by it.
        model = perturbed(UNCONDITIONAL, deviation=0.02)
        with torch.no_grad():
            for shift in model.latents.shifts:
                assert isinstance(shift, CorrelatedShift)
                shift.mean.fill_(0.5)
                shift.matrix.copy_(0.7 * torch.eye(shift.channels))
        x = model.sample(photograph()[..., :64, :64], Domain.CLEAN, generator=seeded(1))
        y = model.degrade(x, generator=seeded(2))
        # In the latents, 0.74 is left of the clean variance 1 before and 0.33 after; the images are clipped besides.
        error = (model.restore(y, 0.0) - x).square().mean()
        assert error < 0.6 * (y - x).square().mean()
        # A sample errs twice as much as the mean: it has the posterior's spread too.
        assert error < (model.restore(y, generator=seeded(3)) - x).square().mean() < 3 * error


class TestSample:
    @every
    @pytest.mark.parametrize("domain", list(Domain))
    def test_without_temperature_it_decodes_the_mean(self, architecture: Architecture, domain: Domain) -> None:
        model = perturbed(architecture, dtype=torch.float64)
        images = grey(model)
        h = model.h(images, domain)
        bound = model.bijector.bind(h)
        zeros = [torch.zeros(2, *shape).to(images) for shape in model.bijector.output_shape((3, 16, 16))]
        fields = model.latents.fields(zeros, h)
        z = tuple(zero + field.mean * (domain is Domain.DEGRADED) for zero, field in zip(zeros, fields, strict=True))
        expected = model.normalization.back(bound.inverse(z)[0], domain).clamp(0, 1)
        result = model.sample(images, domain, 0.0, noise=Silence())
        torch.testing.assert_close(result, expected.detach(), atol=1e-8, rtol=0)

    @pytest.mark.parametrize("domain", list(Domain))
    def test_the_latents_have_the_domains_moments(self, domain: Domain) -> None:
        # A weak temperature keeps the images inside [0, 1]; undone by dividing by it.
        model = perturbed(UNCONDITIONAL, deviation=0.01, dtype=torch.float64)
        with torch.no_grad():
            for shift in model.latents.shifts:
                shift.state_dict()["mean"].zero_()
        images = torch.zeros(1, 3, 256, 256, dtype=torch.float64)
        result = model.sample(images, domain, 0.1, generator=seeded())
        assert 0 < result.min() < result.max() < 1
        z, _ = model.bijector(result)
        for level, shift in zip(z, model.latents.shifts, strict=True):
            covariance = (level[0].flatten(1) / 0.1).cov()
            factor = shift.factor.detach() * (domain is Domain.DEGRADED)
            expected = torch.eye(shift.channels, dtype=torch.float64) + factor @ factor.T
            # 4096 positions at the deepest level: 0.022 for a variance of 1, the largest of 300 five times it.
            torch.testing.assert_close(covariance, expected, atol=0.12, rtol=0)

    def test_only_h_counts(self) -> None:
        # Images that differ in what downsampling removes give the same samples.
        model = perturbed(TINY, dtype=torch.float64)
        images = grey(model)
        pixels = torch.eye(256, dtype=torch.float64).reshape(256, 1, 16, 16)
        downsampling = bicubic_downsample(pixels, 4).flatten(1).T
        removed = torch.linalg.svd(downsampling).Vh[-1].reshape(16, 16)
        # By up to a quarter at a pixel: the images stay in [0, 1].
        one, other = (
            model.sample(images + change * removed, Domain.CLEAN, noise=SeededNoise(0, "")) for change in (0.0, 0.3)
        )
        torch.testing.assert_close(other, one, atol=1e-9, rtol=0)


class TestLogProb:
    @every
    @pytest.mark.parametrize("domain", [Domain.CLEAN, Domain.DEGRADED, torch.tensor([1, 0])])
    def test_a_density_by_the_jacobian(self, architecture: Architecture, domain: Domain | Tensor) -> None:
        model = perturbed(architecture, dtype=torch.float64)
        side = architecture.alignment
        images = grey(model, side=side)
        h = model.h(images, domain)
        value = model.log_prob(images, domain, h)
        domains = torch.as_tensor(domain).expand(2)
        for i in range(2):
            own, bound = domains[i : i + 1], model.bijector.bind(None if h is None else h[i : i + 1])

            def flat(image: Tensor, own: Tensor = own, bound: Any = bound) -> Tensor:
                latents, _ = bound(model.normalization.to_shared(image, own))
                return torch.cat([part.flatten() for part in latents])

            jacobian = torch.autograd.functional.jacobian(flat, images[i : i + 1]).reshape(2 * (3 * side * side,))
            latents, _ = bound(model.normalization.to_shared(images[i : i + 1], own))
            label = LatentLabel(own, None if h is None else h[i : i + 1])
            expected = model.latents.log_prob(latents, label)[0] + torch.linalg.slogdet(jacobian).logabsdet
            torch.testing.assert_close(value[i], expected, **DOUBLE)

    @pytest.mark.parametrize("architecture", EVERY[:2])
    def test_it_is_that_of_the_flow(self, architecture: Architecture) -> None:
        model = perturbed(architecture)
        assert isinstance(model.flow, Flow)
        images, domains = crops(2, 16), torch.tensor([0, 1])
        h = model.h(images, domains)
        assert torch.equal(model.log_prob(images, domains, h), model.flow.log_prob(images, h, LatentLabel(domains, h)))

    def test_h_is_made_with_noise_where_it_is_not_given(self) -> None:
        model, images = perturbed(NORMALIZED), crops(2, 16)
        domains = torch.tensor([0, 1])
        h = model.h(images, domains, torch.randn(2, 3, 4, 4, generator=seeded(4)))
        expected = model.log_prob(images, domains, h)
        assert torch.equal(model.log_prob(images, domains, generator=seeded(4)), expected)
        assert not torch.equal(model.log_prob(images, domains, generator=seeded(5)), expected)

    def test_it_has_gradients(self) -> None:
        model = perturbed(TINY)
        model.log_prob(crops(2, 16), torch.tensor([0, 1])).sum().backward()
        missing = [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]
        assert missing == []

    def test_in_one_pixel_blocks_it_integrates_to_one(self) -> None:
        # Importance sampling: the mean of p / q over draws of q is the integral of p. One level without coupling
        # partners elsewhere keeps the dimensions few enough: 12.
        architecture = replace(UNCONDITIONAL, levels=1, split_after=())
        model = perturbed(architecture, dtype=torch.float64)
        images = torch.randn(20_000, 3, 2, 2, generator=seeded(), dtype=torch.float64)
        for domain in Domain:
            with torch.no_grad():
                # The flow's own samples from wider latents are the proposal.
                shapes = model.bijector.output_shape((3, 2, 2))
                z = model.latents.sample(len(images), shapes, Domain.CLEAN, 1.3, seeded(1))
                proposed, log_det = model.bijector.inverse(z)
                log_q = Normal(0, 1.3).log_prob(z[0]).flatten(1).sum(1) - log_det
                weights = (model.log_prob(proposed, domain) - log_q).exp()
            # The standard deviation of the mean is below 0.02.
            assert weights.mean().item() == pytest.approx(1, abs=0.08)

    @pytest.mark.parametrize("shape", [(2, 3, 16, 15), (2, 3, 14, 16), (2, 1, 16, 16), (3, 16, 16)])
    def test_images_that_do_not_fit_are_refused(self, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="multiples of 4"):
            perturbed(TINY).log_prob(torch.rand(shape), Domain.CLEAN)


class TestLogProbPair:
    @every
    def test_by_hand(self, architecture: Architecture) -> None:
        model = perturbed(architecture, dtype=torch.float64)
        x = grey(model)
        y = x + 0.02 * torch.randn(x.shape, generator=seeded(1), dtype=torch.float64)
        value = model.log_prob_pair(x, y, seeded(4))
        h = None
        if architecture.h_factor is not None:
            small = (2, 3, 16 // architecture.h_factor, 16 // architecture.h_factor)
            h = model.h(x, Domain.CLEAN, torch.randn(small, generator=seeded(4)))
        bound = model.bijector.bind(h)
        z_x, _ = bound(model.normalization.to_shared(x, Domain.CLEAN))
        z_y, expected = bound(model.normalization.to_shared(y, Domain.CLEAN))
        expected = expected + model.normalization.log_det(y, Domain.CLEAN)
        for clean, degraded, field in zip(z_x, z_y, model.latents.fields(z_x, h), strict=True):
            # M itself, column by column: squaring its condition number would cost half of the digits.
            channels = clean.shape[1]
            units = torch.eye(channels, dtype=clean.dtype)[:, None, :, None, None].expand(-1, *clean.shape)
            factor = torch.stack([field.deviation(unit) for unit in units], 1).permute(0, 3, 4, 2, 1)
            white = torch.linalg.solve(factor, (degraded - clean - field.mean).movedim(1, -1)[..., None])[..., 0]
            densities = Normal(0, 1).log_prob(white).sum(-1) - torch.linalg.slogdet(factor).logabsdet
            expected = expected + densities.sum((1, 2))
        # The condition of M may be some hundreds.
        torch.testing.assert_close(value, expected, atol=1e-6, rtol=1e-6)

    def test_images_that_are_no_pairs_are_refused(self) -> None:
        model = perturbed(TINY)
        with pytest.raises(ValueError, match="no pairs"):
            model.log_prob_pair(torch.rand(2, 3, 8, 8), torch.rand(2, 3, 8, 12))
        with pytest.raises(ValueError, match="multiples of 4"):
            model.log_prob_pair(torch.rand(2, 3, 8, 9), torch.rand(2, 3, 8, 9))


class TestH:
    @pytest.mark.parametrize(("factor", "size"), [(4, (5, 4)), (8, (3, 2)), (16, (2, 1))])
    def test_size(self, factor: Any, size: tuple[int, int]) -> None:
        model = DeFlow(replace(TINY, factor=factor))
        h = model.h(torch.rand(2, 3, 20, 16), Domain.CLEAN)
        assert h is not None
        assert h.shape == (2, 3, *size)

    def test_the_noise_is_that_of_the_settings(self) -> None:
        model, images = DeFlow(replace(TINY, h_noise=0.25)), torch.rand(2, 3, 16, 16)
        h, noisy = model.h(images, Domain.CLEAN), model.h(images, Domain.CLEAN, torch.ones(2, 3, 4, 4))
        assert h is not None
        assert noisy is not None
        assert torch.equal(h, bicubic_downsample(images, 4))
        torch.testing.assert_close(noisy - h, torch.full_like(h, 0.25), atol=1e-6, rtol=0)

    def test_in_the_shared_colours(self) -> None:
        model, images, domains = DeFlow(NORMALIZED), torch.rand(2, 3, 16, 16), torch.tensor([0, 1])
        h = model.h(images, domains)
        assert h is not None
        assert torch.equal(h, model.normalization.h_to_shared(bicubic_downsample(images, 4), domains))
        assert not torch.equal(h[0], bicubic_downsample(images, 4)[0])

    def test_without_conditioning_there_is_none(self) -> None:
        assert DeFlow(UNCONDITIONAL).h(torch.rand(2, 3, 16, 16), Domain.CLEAN) is None


class TestBadInput:
    @pytest.mark.parametrize("method", [degrade, restore, sample_clean])
    @pytest.mark.parametrize(
        "images",
        [
            torch.zeros(2, 3, 8, 8, dtype=torch.uint8),
            torch.zeros(3, 8, 8),
            torch.zeros(2, 1, 8, 8),
            torch.zeros(1, 2, 3, 8, 8),
        ],
    )
    def test_not_a_batch_of_colour_images(self, method: Any, images: Tensor) -> None:
        with pytest.raises(ValueError, match="expected float images B x 3 x H x W"):
            method(perturbed(TINY), images)

    @pytest.mark.parametrize("samples", [0, -1])
    def test_no_samples(self, samples: int) -> None:
        with pytest.raises(ValueError, match=f"samples is {samples}"):
            perturbed(TINY).degrade(torch.rand(1, 3, 8, 8), samples=samples)

    def test_before_it_is_initialised(self) -> None:
        with pytest.raises(RuntimeError, match="not initialised"):
            DeFlow(TINY).degrade(torch.rand(1, 3, 8, 8))


class TestInitialize:
    @every
    def test_the_first_layer_leaves_standardised(self, architecture: Architecture) -> None:
        model = DeFlow(architecture)
        images, domains = crops(4, 16), torch.tensor([0, 1, 0, 1])
        model.initialize(images, domains)
        assert bool(model.log_prob(images, domains).isfinite().all())
        # What was started is kept.
        before = {key: value.clone() for key, value in model.state_dict().items()}
        model.initialize(1 - images, domains)
        assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())

    def test_with_a_given_h(self) -> None:
        images, domains = crops(4, 16), torch.tensor([0, 1, 0, 1])
        one, other = (perturbed(TINY, seed=0) for _ in range(2))
        for model in (one, other):
            for module in model.modules():
                if hasattr(module, "initialized"):
                    module.initialized.fill_(False)
        one.initialize(images, domains)
        other.initialize(images, domains, torch.zeros(4, 3, 4, 4))
        assert any(not torch.equal(a, b) for a, b in zip(one.parameters(), other.parameters(), strict=True))


class TestFolder:
    @every
    def test_bit_identical(self, architecture: Architecture, tmp_path: Path) -> None:
        model = perturbed(architecture)
        model.save_pretrained(tmp_path / "model")
        assert sorted(path.name for path in tmp_path.glob("**/*")) == ["config.json", "model", "model.safetensors"]
        loaded = DeFlow.from_pretrained(tmp_path / "model")
        assert loaded.config == architecture
        assert not loaded.training
        own, other = model.state_dict(), loaded.state_dict()
        assert own.keys() == other.keys()
        assert all(torch.equal(value, other[key]) for key, value in own.items())
        images = crops(2, 17)
        for method in (degrade, restore, sample_clean, sample_degraded):
            first, second = (method(m, images, generator=seeded()) for m in (model, loaded))
            assert torch.equal(first, second)

    def test_a_model_that_is_there_is_replaced(self, tmp_path: Path) -> None:
        perturbed(TINY).save_pretrained(tmp_path / "model")
        perturbed(UNCONDITIONAL, seed=1).save_pretrained(str(tmp_path / "model"))
        assert DeFlow.from_pretrained(str(tmp_path / "model")).config == UNCONDITIONAL

    def test_a_folder_with_other_files_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").write_text("precious")
        with pytest.raises(UserError, match=r"holds 'thesis\.tex'"):
            perturbed(TINY).save_pretrained(tmp_path)
        assert [path.name for path in tmp_path.iterdir()] == ["thesis.tex"]

    def test_a_file_in_its_place_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "model").write_text("precious")
        with pytest.raises(UserError, match="a file has that name"):
            perturbed(TINY).save_pretrained(tmp_path / "model")
        assert (tmp_path / "model").read_text() == "precious"

    def test_one_that_was_never_initialised_stays_so(self, tmp_path: Path) -> None:
        DeFlow(TINY).save_pretrained(tmp_path / "model")
        with pytest.raises(RuntimeError, match="not initialised"):
            DeFlow.from_pretrained(tmp_path / "model").degrade(torch.rand(1, 3, 8, 8))


class TestDamagedFolder:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        perturbed(TINY).save_pretrained(tmp_path / "model")
        return tmp_path / "model"

    def refused(self, folder: Path, *parts: object) -> None:
        with pytest.raises(UserError) as error:
            DeFlow.from_pretrained(folder)
        message = str(error.value)
        assert all(str(part) in message for part in (folder, *parts)), message
        assert "\n" not in message

    def test_missing(self, tmp_path: Path) -> None:
        self.refused(tmp_path / "nowhere", "no such folder")

    def test_no_configuration(self, folder: Path) -> None:
        (folder / "config.json").unlink()
        self.refused(folder, "is no model folder")

    def test_no_weights(self, folder: Path) -> None:
        (folder / "model.safetensors").unlink()
        self.refused(folder, "model.safetensors", "no such file")

    def test_truncated_weights(self, folder: Path) -> None:
        data = (folder / "model.safetensors").read_bytes()
        (folder / "model.safetensors").write_bytes(data[: len(data) // 2])
        self.refused(folder, "model.safetensors", "no valid safetensors")

    @pytest.mark.parametrize("text", ["", "{", "\xff", '{"format": "flowkit-deflow 1"'])
    def test_no_json(self, folder: Path, text: str) -> None:
        (folder / "config.json").write_bytes(text.encode("latin-1"))
        self.refused(folder, "config.json", "not valid JSON")

    @pytest.mark.parametrize(
        "values",
        [
            [],
            "text",
            {},
            {"format": "other"},
            {"format": "flowkit-deflow 1"},
            {"format": "flowkit-deflow 2"},
            {"format": "flowkit-deflow 2", "kind": ["deflow"], "settings": {}},
            {"format": "flowkit-deflow 2", "kind": "deflow"},
        ],
    )
    def test_another_format(self, folder: Path, values: object) -> None:
        (folder / "config.json").write_text(json.dumps(values))
        self.refused(folder, "config.json", "is not of the format")

    @pytest.mark.parametrize(
        ("changes", "parts"),
        [
            ({"hiden_channels": 8}, ["'hiden_channels'", "did you mean 'hidden_channels'"]),
            ({"factor": 5}, ["'factor'", "got 5"]),
            ({"steps": 0}, ["steps is 0"]),
        ],
    )
    def test_settings_that_are_none(self, folder: Path, changes: dict[str, object], parts: list[str]) -> None:
        values = json.loads((folder / "config.json").read_text())
        values["settings"] |= changes
        (folder / "config.json").write_text(json.dumps(values))
        self.refused(folder, "config.json", *parts)

    @pytest.mark.parametrize("architecture", [None, [], "tiny"])
    def test_an_architecture_that_is_none(self, folder: Path, architecture: object) -> None:
        (folder / "config.json").write_text(json.dumps({"format": "flowkit-deflow 1", "architecture": architecture}))
        self.refused(folder, "config.json")
        config = {"format": "flowkit-deflow 2", "kind": "deflow", "settings": architecture}
        (folder / "config.json").write_text(json.dumps(config))
        self.refused(folder, "config.json")

    def test_an_unknown_key(self, folder: Path) -> None:
        path = folder / "model.safetensors"
        write_state(path, read_state(path) | {"flow.extra": torch.zeros(1)})
        self.refused(folder, "'flow.extra'", "is unknown")

    def test_a_missing_key(self, folder: Path) -> None:
        path = folder / "model.safetensors"
        state = read_state(path)
        key = max(key for key in state if key.endswith(".matrix"))
        del state[key]
        write_state(path, state)
        self.refused(folder, repr(key), "is missing")

    def test_a_misshapen_key(self, folder: Path) -> None:
        path = folder / "model.safetensors"
        state = read_state(path)
        key = max(key for key in state if key.endswith(".matrix"))
        write_state(path, state | {key: torch.zeros(2, 3)})
        self.refused(folder, repr(key), "(2, 3)", tuple(state[key].shape))

    def test_weights_of_another_architecture(self, folder: Path) -> None:
        values = json.loads((folder / "config.json").read_text())
        values["settings"]["steps"] = 2
        (folder / "config.json").write_text(json.dumps(values))
        self.refused(folder, "of another architecture than config.json")


def test_images_of_another_precision_than_the_model_are_converted() -> None:
    model = perturbed(TINY)
    images = torch.rand(1, 3, 16, 16, dtype=torch.float64)
    degraded = model.degrade(images, generator=torch.Generator().manual_seed(0))
    assert degraded.dtype == torch.float64
    same = model.degrade(images.float(), generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(degraded, same.double(), atol=0, rtol=0)


def test_the_method_that_loads_exactly_still_does() -> None:
    source, target = perturbed(TINY), perturbed(TINY, seed=1)
    with pytest.warns(DeprecationWarning, match=r"flowkit_deflow\.model_folder\.load_exactly"):
        target.load_exactly(source.state_dict(), "weights.pth")
    assert torch.equal(target.latents.shifts[0].mean, source.latents.shifts[0].mean)
