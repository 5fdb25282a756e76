"""Code length, the shift's growth, roughness, and noise in h."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import Tensor

from flowkit import bits_per_dim
from flowkit_deflow.images.image_files import write_image
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.data import UnpairedCrops
from flowkit_deflow.training.monitors.code_length import CODE_LENGTH
from flowkit_deflow.training.monitors.history import History
from flowkit_deflow.training.monitors.monitor import Monitor
from flowkit_deflow.training.monitors.noise_in_h import find_noise_in_h, measure_noise_in_h
from flowkit_deflow.training.monitors.roughness import ROUGHNESS, median_roughness
from flowkit_deflow.training.monitors.shift_growth import SHIFT_GROWTH
from flowkit_deflow.training.monitors.snapshot import Snapshot
from tests.flowkit_deflow.training.monitors.snapshots import both, model_with

Settings = Callable[..., Run]


def advice(monitor: Monitor, *rows: dict[str, float]) -> str:
    history = History()
    for number, row in enumerate(rows, start=1):
        history.add(100 * number, row)
    found = monitor.find(history, Run())
    assert found is not None
    return found.advice


class TestCodeLength:
    def test_it_is_that_of_the_likelihood(self) -> None:
        snapshot = Snapshot(model_with(0.3), both())
        scalars = CODE_LENGTH.measure(snapshot)
        for domain, crops in snapshot.crops.items():
            log_prob = snapshot.model.log_prob(crops.dequantized, domain, crops.h).detach()
            expected = bits_per_dim(log_prob, snapshot.dimensions, snapshot.model.config.bins).mean()
            # Sums in another order, in float32.
            assert scalars[f"bits_{domain.name.lower()}"] == pytest.approx(float(expected), rel=1e-5)

    def test_a_code_that_grows_again_is_found_with_the_step_where_it_was_shortest(self) -> None:
        falling, risen = [4.0, 3.5, 3.4], [4.0, 3.5, 3.7]
        assert advice(CODE_LENGTH, *({"bits_clean": b, "bits_degraded": b + 1} for b in falling)) == ""
        assert "training.steps=200" in advice(CODE_LENGTH, *({"bits_clean": b, "bits_degraded": b} for b in risen))


class TestShiftGrowth:
    def test_eigenvalues_are_those_of_the_covariance(self) -> None:
        model = model_with(0.5)
        with torch.no_grad():
            model.latents.shifts[0].factor[0, 0] = 2.0
        scalars = SHIFT_GROWTH.measure(Snapshot(model, both()))
        channels = sum(shift.channels for shift in model.latents.shifts)
        assert scalars["shift_largest_eigenvalue"] == pytest.approx(4.0)
        assert scalars["shift_mean_eigenvalue"] == pytest.approx(0.25 + (4 - 0.25) / channels)

    def test_growth_since_half_way_is_found(self) -> None:
        def rows(*values: float) -> list[dict[str, float]]:
            return [{"shift_mean_eigenvalue": value, "shift_largest_eigenvalue": value} for value in values]

        assert "train longer" in advice(SHIFT_GROWTH, *rows(0.1, 0.2, 0.3, 0.4))
        assert advice(SHIFT_GROWTH, *rows(0.1, 0.39, 0.4, 0.4)) == ""


class TestRoughness:
    def test_white_noise(self) -> None:
        noise = 0.1 * torch.randn(8, 3, 66, 66, generator=torch.Generator().manual_seed(0))
        # The Laplacian has squares of 4^2 + 4 = 20; the brightness is the mean of three independent channels.
        assert median_roughness(0.5 + noise) == pytest.approx(25.5 * (20 / 3) ** 0.5, rel=0.02)

    @pytest.mark.parametrize(
        ("generated", "told"), [(10.0, ""), (14.0, ""), (16.0, "below 1"), (6.0, "above 1"), (0.0, "any number")]
    )
    def test_what_a_temperature_has_to_set_right(self, generated: float, told: str) -> None:
        row = {"roughness_clean": 5.0, "roughness_generated": generated, "roughness_real": 10.0}
        found = advice(ROUGHNESS, row)
        assert told in found
        assert bool(found) == bool(told)

    def test_a_model_whose_shift_is_too_strong(self) -> None:
        def noisy(generator: torch.Generator) -> Tensor:
            return 0.5 + 0.02 * torch.randn(32, 3, 16, 16, generator=generator)

        scalars = ROUGHNESS.measure(Snapshot(model_with(3.0), both(noisy)))
        assert scalars["roughness_generated"] > 3 * scalars["roughness_real"]
        assert scalars["roughness_clean"] == pytest.approx(scalars["roughness_real"], rel=0.1)


class TestNoiseInH:
    def crops(self, tiny: Settings, tmp_path: Path, level: float) -> UnpairedCrops:
        generator = torch.Generator().manual_seed(0)
        ramp = torch.linspace(0.3, 0.7, 64).expand(3, 64, 64)
        for folder, deviation in (("clean", 0.0), ("degraded", level)):
            for number in range(8):
                image = ramp + deviation * torch.randn(3, 64, 64, generator=generator)
                write_image(tmp_path / folder / f"{number}.png", image)
        run = tiny(f"data.clean={tmp_path / 'clean'}", f"data.degraded={tmp_path / 'degraded'}")
        return UnpairedCrops(run.data, run.architecture, run.training.batch, run.training.seed)

    @pytest.mark.parametrize(("level", "warned"), [(0.02, False), (0.1, True)])
    def test_white_noise_survives_by_a_fifth(self, tiny: Settings, tmp_path: Path, level: float, warned: bool) -> None:
        crops = self.crops(tiny, tmp_path, level)
        scalars = measure_noise_in_h(crops, crops.architecture)
        assert scalars["flat_noise"] == pytest.approx(255 * level, rel=0.1)
        # Bicubic downsampling by 4 leaves 0.204 of white noise; few patches were measured.
        assert scalars["flat_noise_in_h"] == pytest.approx(0.204 * 255 * level, rel=0.25)
        history = History()
        history.add(1, scalars)
        found = find_noise_in_h(history, tiny())
        assert found is not None
        assert bool(found.advice) is warned

    def test_without_conditioning_there_is_no_h(self, tiny: Settings, tmp_path: Path) -> None:
        crops = self.crops(tiny, tmp_path, 0.02)
        assert measure_noise_in_h(crops, tiny("architecture.factor=null").architecture) == {}

    def test_images_that_are_too_small(self, tiny: Settings, tmp_path: Path) -> None:
        for folder in ("clean", "degraded"):
            write_image(tmp_path / folder / "small.png", torch.rand(3, 24, 24))
        run = tiny(f"data.clean={tmp_path / 'clean'}", f"data.degraded={tmp_path / 'degraded'}")
        crops = UnpairedCrops(run.data, run.architecture, run.training.batch, run.training.seed)
        assert measure_noise_in_h(crops, run.architecture) == {}
        assert find_noise_in_h(History(), run) is None
