"""The shift that is measured per class of places: before and after."""

from itertools import product

import pytest
import torch
from torch import Tensor

from flowkit_deflow.method.latents import Domain, LatentLabel, LatentModel
from flowkit_deflow.method.shifts.binned import BinnedShift
from flowkit_deflow.method.shifts.correlated import CorrelatedShift
from flowkit_deflow.method.shifts.moments import ClassMoments
from tests.flowkit_deflow.networks import move_shift

CHANNELS, SIZE = 3, (8, 8)


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def twins(seed: int = 0) -> tuple[BinnedShift, CorrelatedShift]:
    """A binned shift that is not measured yet, and the correlated one of the same parameters."""
    binned, correlated = BinnedShift(CHANNELS).double(), CorrelatedShift(CHANNELS).double()
    move_shift(correlated, 0.7, torch.Generator().manual_seed(seed))
    binned.load_state_dict(correlated.state_dict(), strict=False)
    return binned, correlated


def scenes(count: int, seed: int) -> Tensor:
    """h of images that are dark on the left and bright on the right, smooth above and textured below."""
    brightness = torch.linspace(0.1, 0.9, SIZE[1])[:, None].expand(SIZE[1], SIZE[0]).T
    texture = 0.2 * (torch.arange(SIZE[0]) >= SIZE[0] // 2).double()[:, None]
    return brightness + texture * normal(count, 3, *SIZE, seed=seed) + 0.005 * normal(count, 3, *SIZE, seed=seed + 1)


def deviation_at(h: Tensor) -> Tensor:
    """The noise of these tests: it grows with the brightness to four times its strength, ``B x 1 x H x W``."""
    return 0.5 + 1.9 * h.mean(1, keepdim=True).clamp(0, 1)


def measured(classes: tuple[int, int], count: int = 400) -> BinnedShift:
    """A shift measured on latents of unpaired scenes whose noise grows with the brightness."""
    shift = BinnedShift(CHANNELS, classes=classes).double()
    h = {domain: scenes(count, 10 * int(domain)) for domain in Domain}
    z = {domain: 1.5 * normal(count, CHANNELS, *SIZE, seed=5 + int(domain)) + 0.3 for domain in Domain}
    z[Domain.DEGRADED] += deviation_at(h[Domain.DEGRADED]) * normal(count, CHANNELS, *SIZE, seed=7)
    if shift.classes > 1:
        features = [shift.place_features(h[domain], SIZE) for domain in Domain]
        shift.lay_out_classes(torch.cat([part for part in features if part is not None]).movedim(1, 0).flatten(1))
    sums = []
    for domain in Domain:
        sums.append(ClassMoments(shift.classes, CHANNELS))
        sums[-1].add(z[domain], shift.class_weights(h[domain], count, SIZE))
    shift.measure(*sums)
    return shift


class TestBefore:
    def test_it_is_the_correlated_shift(self) -> None:
        binned, correlated = twins()
        assert [name for name, _ in binned.named_parameters()] == [name for name, _ in correlated.named_parameters()]
        models = LatentModel([binned]), LatentModel([correlated])
        z, noise = normal(2, CHANNELS, *SIZE), normal(2, CHANNELS, *SIZE, seed=1)
        h = scenes(2, 0)
        for domain in Domain:
            values = [model.log_prob((z,), LatentLabel(domain, h)) for model in models]
            assert torch.equal(*values)
        assert torch.equal(*(model.degrade((z,), [noise], h=h)[0] for model in models))
        assert torch.equal(*(model.restore((z,), [(noise, noise)], h=h)[0] for model in models))

    def test_it_starts_where_it_is_told(self) -> None:
        assert torch.equal(BinnedShift(2, start=0.3).factor, 0.3 * torch.eye(2))
        with pytest.raises(ValueError, match="the gradient of M vanishes"):
            BinnedShift(2, start=0)

    @pytest.mark.parametrize("classes", [(0, 3), (6, 0)])
    def test_no_classes_are_refused(self, classes: tuple[int, int]) -> None:
        with pytest.raises(ValueError, match="at least one bin"):
            BinnedShift(2, classes=classes)


class TestAfter:
    def test_the_noise_follows_the_brightness(self) -> None:
        shift, h = measured((6, 2)), scenes(200, 50)
        u = shift.at(h, SIZE).draw(normal(200, CHANNELS, *SIZE, seed=3))
        # Column by column from dark to bright, without the outermost, whose 3 x 3 places lie to one side: the deviation
        # drawn against the true one, 4,800 numbers each (1 %), the interpolation between six classes on top.
        drawn = u.std((0, 1, 2))[1:-1]
        true = deviation_at(h).square().mean((0, 1, 2)).sqrt()[1:-1]
        torch.testing.assert_close(drawn, true, atol=0, rtol=0.08)
        assert true.max() > 2 * true.min()

    def test_pooled_it_cannot(self) -> None:
        shift = measured((1, 1))
        u = shift.at(None, SIZE).draw(normal(200, CHANNELS, *SIZE, seed=3))
        spread = u.std((0, 1, 2))
        assert spread.max() < 1.1 * spread.min()
        # All places together have their mean variance.
        h = scenes(200, 50)
        assert u.square().mean().sqrt().item() == pytest.approx(deviation_at(h).square().mean().sqrt().item(), rel=0.05)

    def test_restoration_knows_the_clean_latents_moments_and_the_local_noise(self) -> None:
        shift, h = measured((6, 2)), scenes(200, 50)
        x = 1.5 * normal(200, CHANNELS, *SIZE, seed=20) + 0.3
        y = x + deviation_at(h) * normal(200, CHANNELS, *SIZE, seed=21)
        restored = shift.at(h, SIZE).posterior(y).mean
        noise, prior = deviation_at(h).square(), 1.5**2
        # The best that can be done is the posterior of the true Gaussians; within 3 % of its mean square error.
        best = (0.3 + prior / (prior + noise) * (y - 0.3) - x).square().mean()
        assert (restored - x).square().mean() < 1.03 * best
        constant, _ = twins()
        assert (constant.at(h, SIZE).posterior(y).mean - x).square().mean() > 1.2 * best

    def test_restoration_keeps_what_is_larger_than_noise_can_be(self) -> None:
        shift, h = measured((6, 2)), scenes(200, 50)
        x = 6 * normal(200, CHANNELS, *SIZE, seed=20) + 0.3
        y = x + deviation_at(h) * normal(200, CHANNELS, *SIZE, seed=21)
        field = shift.at(h, SIZE)
        # Taken for clean latents of the measured strength, 1.5, they lose more than noise did.
        narrow = field.clean_mean + field.gain(y - field.clean_mean - field.mean)
        assert (narrow - x).square().mean() > (y - x).square().mean()
        assert (field.posterior(y).mean - x).square().mean() < 0.5 * (narrow - x).square().mean()

    def test_degraded_latents_are_scored_as_in_training(self) -> None:
        shift, h, z = measured((6, 2)), scenes(2, 0), normal(2, CHANNELS, *SIZE)
        correlated = CorrelatedShift(CHANNELS).double()
        label = LatentLabel(Domain.DEGRADED, h)
        assert torch.equal(LatentModel([shift]).log_prob((z,), label), LatentModel([correlated]).log_prob((z,), label))

    def test_what_was_measured_is_saved(self) -> None:
        shift, other = measured((2, 2)), BinnedShift(CHANNELS, classes=(2, 2)).double()
        other.load_state_dict(shift.state_dict())
        h, noise = scenes(2, 0), normal(2, CHANNELS, *SIZE)
        assert torch.equal(other.at(h, SIZE).draw(noise), shift.at(h, SIZE).draw(noise))

    def test_without_h_there_are_no_classes(self) -> None:
        with pytest.raises(ValueError, match=r"made for 4 classes .* there is no h"):
            measured((2, 2)).at(None, SIZE)

    def test_pooled_it_needs_no_h(self) -> None:
        shift, z = measured((1, 1)), normal(2, CHANNELS, *SIZE)
        (posterior,) = LatentModel([shift]).posterior((z,))
        assert posterior.mean.shape == z.shape
        assert LatentModel([shift]).log_prob_pair((z,), (2 * z,)).shape == (2,)


@pytest.mark.parametrize("size", [(4, 4), (8, 8), (16, 16)])
def test_the_weights_of_a_place_add_up(size: tuple[int, int]) -> None:
    weights = measured((3, 2)).class_weights(scenes(2, 0), 2, size)
    assert weights.shape == (2, 6, *size)
    torch.testing.assert_close(weights.sum(1), torch.ones(2, *size).double(), atol=1e-12, rtol=0)


def test_classes_hold_about_equal_shares_of_the_places() -> None:
    shift, h = measured((4, 2)), scenes(400, 10)
    light = shift.class_weights(h, 400, SIZE).unflatten(1, (4, 2)).sum(2).mean((0, 2, 3))
    # Hat functions at quantiles (k + 1/2) / K: the outer classes hold a little more than the inner ones.
    torch.testing.assert_close(light, torch.full((4,), 0.25).double(), atol=0.06, rtol=0)


def test_classes_are_told_apart_by_brightness_first_and_contrast_second() -> None:
    shift = BinnedShift(CHANNELS, classes=(2, 2)).double()
    shift.lay_out_classes(torch.tensor([[0.0, 0.0, 1.0, 1.0], [-4.0, -4.0, -1.0, -1.0]]).double())
    flat = torch.zeros(1, 3, *SIZE).double()
    checks = torch.tensor(list(product(range(SIZE[0]), range(SIZE[1])))).sum(1).reshape(SIZE) % 2
    textured = flat + 0.9 * (checks - 0.5)
    centre = [
        int(shift.class_weights(h, 1, SIZE)[0, :, 4, 4].argmax()) for h in (flat, flat + 1, textured, textured + 1)
    ]
    assert centre == [0, 2, 1, 3]
