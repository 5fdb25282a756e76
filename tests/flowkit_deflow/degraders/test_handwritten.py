from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from flowkit_deflow.degraders.handwritten.blur import GaussianBlur, PlateauBlur, SincFilter
from flowkit_deflow.degraders.handwritten.combining import InOrder, OneOf, Shuffled, Sometimes
from flowkit_deflow.degraders.handwritten.jpeg import Jpeg
from flowkit_deflow.degraders.handwritten.kernels import gaussian_kernel, sinc_kernel
from flowkit_deflow.degraders.handwritten.noise import CorrelatedNoise, GaussianNoise, PoissonNoise
from flowkit_deflow.degraders.handwritten.operation import Operation, pick
from flowkit_deflow.degraders.handwritten.pipeline import HandWritten
from flowkit_deflow.degraders.handwritten.plain_values import OPERATIONS, from_plain, to_plain
from flowkit_deflow.degraders.handwritten.presets import PIPELINES
from flowkit_deflow.degraders.handwritten.resizing import RandomResize, ToSize
from flowkit_deflow.degraders.handwritten.sharpening import UnsharpMask
from flowkit_deflow.degraders.registry import load_degrader
from flowkit_deflow.errors import UserError
from tests.flowkit_deflow.networks import crops

EACH: list[Operation] = [
    GaussianBlur((0.5, 2.0)),
    GaussianBlur((0.5, 2.0), isotropic=False, shape=(0.5, 4.0)),
    PlateauBlur((0.5, 2.0), (1.0, 2.0), isotropic=False),
    SincFilter(),
    RandomResize((0.3, 1.5), grow=1, shrink=1, keep=1, modes=("area", "bilinear", "bicubic", "nearest")),
    ToSize(times=0.5),
    GaussianNoise((0.0, 0.1), grey=0.5),
    CorrelatedNoise(0.1),
    PoissonNoise((0.5, 2.0), grey=0.5),
    Jpeg((30, 95)),
    UnsharpMask(),
    InOrder((Jpeg((30, 95)), GaussianBlur((1.0, 2.0)))),
    Shuffled((Jpeg((30, 95)), GaussianBlur((1.0, 2.0)))),
    OneOf((Jpeg((30, 95)), GaussianBlur((1.0, 2.0))), (0.5, 0.5)),
    Sometimes(Jpeg((30, 95)), 0.5),
]


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_every_operation_is_tested() -> None:
    assert {type(operation) for operation in EACH} == set(OPERATIONS.values())


@pytest.mark.parametrize("operation", [*EACH, *PIPELINES.values()], ids=lambda operation: type(operation).__name__)
class TestOperations:
    @settings(deadline=None, max_examples=8)
    @given(seed=st.integers(0, 2**31), height=st.integers(1, 40), width=st.integers(1, 40))
    def test_images_of_any_size_stay_images(self, operation: Operation, seed: int, height: int, width: int) -> None:
        image = torch.rand(1, 3, height, width, generator=seeded(seed))
        result = operation.apply(image, (height, width), seeded(seed))
        assert result.shape[:2] == (1, 3)
        assert min(result.shape[-2:]) >= 1
        assert bool(((result >= 0) & (result <= 1)).all())
        assert torch.equal(operation.apply(image, (height, width), seeded(seed)), result)

    def test_it_is_stored_and_read_as_it_is(self, operation: Operation) -> None:
        assert from_plain(to_plain(operation)) == operation


class TestConstants:
    def test_a_gaussian_kernel_has_its_standard_deviation(self) -> None:
        kernel = gaussian_kernel(41, (3.0, 1.0)).double()
        reach = torch.arange(41) - 20.0
        along, across = (float((kernel.sum(side) * reach.square()).sum()) for side in (0, 1))
        # The kernel reaches 6.7 deviations far, and is sampled once per pixel.
        assert (along, across) == (pytest.approx(9.0, rel=1e-4), pytest.approx(1.0, rel=1e-4))

    def test_a_sinc_filter_lets_low_frequencies_through_and_no_high_ones(self) -> None:
        response = torch.fft.rfft2(sinc_kernel(101, 1.0).double(), s=(256, 256)).abs()
        # In steps of 2 pi / 256: the cutoff lies at 41.
        assert response[0, :30].min() > 0.9
        assert response[0, 60:].max() < 0.05

    def test_noise_has_its_strength(self) -> None:
        grey = torch.full((1, 3, 128, 128), 0.5)
        noise = GaussianNoise((0.1, 0.1), grey=1.0).apply(grey, (128, 128), seeded(0)) - grey
        # 16384 numbers: half a percent is one standard deviation of the estimate.
        assert float(noise.std()) == pytest.approx(0.1, rel=0.03)
        assert torch.equal(noise[:, 0], noise[:, 2])
        steps = torch.linspace(0, 1, 256).expand(1, 3, 256, 256).contiguous()
        shot = PoissonNoise((1.0, 1.0)).apply(steps, (256, 256), seeded(0)) - steps
        # Of 256 levels: the variance of the value v is v / 256.
        assert float(shot[..., 120:136].var()) == pytest.approx(0.5 / 256, rel=0.05)

    def test_picks_follow_the_weights(self) -> None:
        generator = seeded(0)
        picks = [pick((1.0, 0.0, 3.0), generator) for _ in range(2000)]
        # Four standard deviations of a share of 0.25 among 2000.
        assert picks.count(0) / 2000 == pytest.approx(0.25, abs=0.04)
        assert picks.count(1) == 0


class TestHandWritten:
    @pytest.mark.parametrize("name", PIPELINES)
    @pytest.mark.parametrize("scale", [1, 4])
    def test_pipelines(self, name: str, scale: int) -> None:
        images = crops(2, 48)
        degrader = HandWritten(name, scale)
        first = degrader.degrade(images, samples=2, generator=seeded(1))
        assert first.shape == (2, 2, 3, 48 // scale, 48 // scale)
        assert torch.equal(first, degrader.degrade(images, samples=2, generator=seeded(1)))
        assert not torch.equal(first[0], first[1])

    def test_the_temperature_leads_from_the_image_to_its_degraded_version(self) -> None:
        images, degrader = crops(1, 32), HandWritten(Jpeg((10, 10)))
        none, half, whole = (degrader.degrade(images, t, generator=seeded(0)) for t in (0.0, 0.5, 1.0))
        assert torch.equal(none, images)
        # Sums in float32.
        torch.testing.assert_close(half, (images + whole) / 2, atol=1e-6, rtol=0)

    def test_a_folder_of_any_pipeline(self, tmp_path: Path) -> None:
        HandWritten("bsrgan", 4).save_pretrained(tmp_path / "model")
        read = load_degrader(tmp_path / "model")
        assert isinstance(read, HandWritten)
        assert (read.operation, read.scale) == (PIPELINES["bsrgan"], 4)

    @pytest.mark.parametrize(
        ("settings_", "named"),
        [
            ('{"scale": 1, "pipeline": "esrgan"}', "'esrgan' is unknown"),
            ('{"scale": 0, "pipeline": "bsrgan"}', "scale is 0"),
            ('{"pipeline": "bsrgan"}', "'scale' and 'pipeline'"),
            ('{"scale": 1, "pipeline": {"operation": "blurr", "of": {}}}', "'blurr' is unknown"),
            ('{"scale": 1, "pipeline": {"operation": "jpeg", "of": {"q": 3}}}', "jpeg"),
            ('{"scale": 1, "pipeline": 3}', "no operation"),
        ],
    )
    def test_a_folder_that_was_edited(self, tmp_path: Path, settings_: str, named: str) -> None:
        HandWritten("bsrgan").save_pretrained(tmp_path / "model")
        config = f'{{"format": "flowkit-deflow 2", "kind": "handwritten", "settings": {settings_}}}'
        (tmp_path / "model" / "config.json").write_text(config)
        with pytest.raises(UserError, match=named):
            load_degrader(tmp_path / "model")


def test_unsharp_masking_by_hand() -> None:
    # A dark and a bright half: far from the border between them nothing differs, beside it all of the mask is left.
    image = torch.full((1, 3, 16, 400), 0.4, dtype=torch.float64)
    image[..., 200:] = 0.6
    sharpened = UnsharpMask(weight=0.5, threshold=10 / 255, std=8.0, side=51).apply(image, (16, 400), None)
    offsets = torch.arange(-25, 26, dtype=torch.float64)
    gaussian = torch.exp(-0.5 * (offsets / 8) ** 2)
    gaussian = gaussian / gaussian.sum()

    def blurred(row: list[float]) -> list[float]:
        return [
            sum(w * row[min(max(at + k - 25, 0), 399)] for k, w in enumerate(gaussian.tolist())) for at in range(400)
        ]

    row = [0.4] * 200 + [0.6] * 200
    residual = [value - smooth for value, smooth in zip(row, blurred(row), strict=True)]
    mask = blurred([float(abs(value) > 10 / 255) for value in residual])
    expected = [x + m * 0.5 * r for x, m, r in zip(row, mask, residual, strict=True)]
    assert sharpened[0, 0, 8].tolist() == pytest.approx(expected, abs=1e-6)
    assert sharpened[0, 0, 0, :140].tolist() == pytest.approx([0.4] * 140, abs=1e-6)
    assert max(expected) > 0.62


def test_what_differs_little_stays_as_it_is() -> None:
    image = 0.5 + 0.03 * torch.rand(1, 3, 32, 32, generator=seeded(0))
    assert torch.allclose(UnsharpMask().apply(image, (32, 32), None), image, atol=1e-6)
