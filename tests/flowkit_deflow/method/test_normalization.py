import pytest
import torch
from torch import Tensor

from flowkit_deflow.method.latents import Domain
from flowkit_deflow.method.normalization import ColourNormalization
from flowkit_deflow.settings.schema import ChannelStatistics, Normalization
from tests.flowkit_deflow.networks import NORMALIZATION


def with_statistics(statistics: ChannelStatistics, seed: int = 0) -> Tensor:
    """Two images of exactly these channel statistics."""
    x = torch.randn(2, 3, 5, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    x = (x - x.mean((0, 2, 3), keepdim=True)) / x.std((0, 2, 3), keepdim=True, correction=0)
    return x * torch.tensor(statistics.std)[:, None, None] + torch.tensor(statistics.mean)[:, None, None]


def statistics_of(x: Tensor) -> tuple[list[float], list[float]]:
    return x.mean((0, 2, 3)).tolist(), x.std((0, 2, 3), correction=0).tolist()


@pytest.fixture
def normalization() -> ColourNormalization:
    return ColourNormalization(NORMALIZATION)


# The statistics are held in float32: 1e-7 of values of order 1.
CLOSE = 1e-6


class TestMaps:
    def test_clean_images_take_the_statistics_of_degraded_ones(self, normalization: ColourNormalization) -> None:
        mean, std = statistics_of(normalization.to_shared(with_statistics(NORMALIZATION.clean), Domain.CLEAN))
        assert mean == pytest.approx(NORMALIZATION.degraded.mean, abs=CLOSE)
        assert std == pytest.approx(NORMALIZATION.degraded.std, abs=CLOSE)

    def test_h_has_statistics_of_its_own(self, normalization: ColourNormalization) -> None:
        mean, std = statistics_of(normalization.h_to_shared(with_statistics(NORMALIZATION.clean_h), Domain.CLEAN))
        assert mean == pytest.approx(NORMALIZATION.degraded_h.mean, abs=CLOSE)
        assert std == pytest.approx(NORMALIZATION.degraded_h.std, abs=CLOSE)

    def test_degraded_images_stay_as_they_are(self, normalization: ColourNormalization) -> None:
        images = torch.rand(2, 3, 4, 5)
        for change in (normalization.to_shared, normalization.h_to_shared, normalization.back):
            assert torch.equal(change(images, Domain.DEGRADED), images)

    @pytest.mark.parametrize("domain", [Domain.CLEAN, Domain.DEGRADED, torch.tensor([1, 0])])
    def test_back_undoes_it(self, normalization: ColourNormalization, domain: Domain | Tensor) -> None:
        images = torch.rand(2, 3, 4, 5, dtype=torch.float64)
        back = normalization.back(normalization.to_shared(images, domain), domain)
        assert back.dtype == torch.float64
        torch.testing.assert_close(back, images, atol=1e-14, rtol=0)

    def test_each_image_has_its_own_domain(self, normalization: ColourNormalization) -> None:
        images, domains = torch.rand(3, 3, 4, 5), torch.tensor([0, 1, 0])
        for change in (normalization.to_shared, normalization.h_to_shared, normalization.back):
            apart = [change(image[None], Domain(int(d)))[0] for image, d in zip(images, domains, strict=True)]
            assert torch.equal(change(images, domains), torch.stack(apart))

    @pytest.mark.parametrize("domain", list(Domain))
    def test_without_settings_nothing_changes(self, domain: Domain) -> None:
        normalization, images = ColourNormalization(None), torch.rand(2, 3, 4, 5)
        assert torch.equal(normalization.to_shared(images, domain), images)
        assert torch.equal(normalization.h_to_shared(images, domain), images)
        assert torch.equal(normalization.log_det(images, domain), torch.zeros(2))

    def test_equal_domains_are_left_alone(self) -> None:
        one = ChannelStatistics((0.3, 0.4, 0.5), (0.2, 0.2, 0.3))
        normalization, images = ColourNormalization(Normalization(one, one, one, one)), torch.rand(2, 3, 4, 5)
        torch.testing.assert_close(normalization.to_shared(images, Domain.CLEAN), images, atol=CLOSE, rtol=0)


class TestLogDet:
    @pytest.mark.parametrize("domain", list(Domain))
    def test_against_the_jacobian(self, normalization: ColourNormalization, domain: Domain) -> None:
        image = torch.rand(1, 3, 2, 3, dtype=torch.float64)
        jacobian = torch.autograd.functional.jacobian(lambda x: normalization.to_shared(x, domain), image)
        expected = torch.linalg.slogdet(jacobian.reshape(18, 18)).logabsdet
        torch.testing.assert_close(normalization.log_det(image, domain)[0], expected, atol=1e-12, rtol=1e-12)

    def test_one_number_for_each_image(self, normalization: ColourNormalization) -> None:
        images = torch.rand(3, 3, 4, 5)
        clean, degraded = (normalization.log_det(images, domain) for domain in Domain)
        assert clean.shape == degraded.shape == (3,)
        mixed = normalization.log_det(images, torch.tensor([0, 1, 0]))
        assert torch.equal(mixed, torch.stack([clean[0], degraded[1], clean[2]]))


def test_the_settings_hold_it_not_the_weights(normalization: ColourNormalization) -> None:
    assert normalization.state_dict() == {}
