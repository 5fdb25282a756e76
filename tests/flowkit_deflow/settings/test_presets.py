from dataclasses import replace

import pytest

from flowkit_deflow.errors import UserError
from flowkit_deflow.method.architecture import build_bijector
from flowkit_deflow.settings.presets import AIM_NORMALIZATION, PRESETS, PUBLISHED, preset


class TestThePaper:
    """Secs. 5.1 and 5.4 of Wolf et al. 2021, number by number."""

    @pytest.mark.parametrize("name", ["aim", "ntire", "dped"])
    def test_common(self, name: str) -> None:
        run = preset(name)
        network = run.architecture
        assert (network.levels, network.steps, network.bins) == (3, 16, 32)
        assert network.h_noise == 0.03
        assert (network.encoder_blocks, network.encoder_features, network.encoder_growth) == (23, 64, 32)
        assert network.stack_blocks == (1, 8, 15, 22)
        # What the published network has besides.
        assert (network.plain_steps, network.split_after, network.scale, network.scale_eps) == (
            2,
            (1,),
            "sigmoid",
            1e-3,
        )
        assert (network.coupling, network.shift, network.shift_start) == ("affine", "correlated", 0.01)
        assert run.training.steps == 100_000
        assert run.training.halve_at == (0.5, 0.75, 0.9, 0.95)
        assert run.training.betas == (0.9, 0.99)
        assert run.data.held_out == 0

    def test_aim(self) -> None:
        run = preset("aim")
        assert (run.architecture.factor, run.architecture.hidden_channels) == (8, 128)
        assert (run.training.learning_rate, run.training.batch) == (1e-4, 8)
        assert (run.data.crop, run.data.clean_downsample, run.data.normalize) == (160, (4,), True)

    def test_ntire(self) -> None:
        run = preset("ntire")
        assert (run.architecture.factor, run.architecture.hidden_channels) == (4, 64)
        assert (run.training.learning_rate, run.training.batch) == (5e-5, 8)
        assert (run.data.crop, run.data.clean_downsample, run.data.normalize) == (160, (4,), False)

    def test_dped(self) -> None:
        run = preset("dped")
        assert (run.architecture.factor, run.architecture.hidden_channels) == (4, 64)
        assert (run.training.learning_rate, run.training.batch) == (5e-5, 48)
        assert (run.data.crop, run.data.clean_downsample, run.data.normalize) == (80, (4, 8), False)
        # X is made of the degraded images.
        assert run.data.clean is None

    def test_the_statistics_of_aim_are_of_values_from_0_to_1(self) -> None:
        assert AIM_NORMALIZATION.clean.mean == pytest.approx((0.4489, 0.4379, 0.4051), abs=1e-4)
        assert AIM_NORMALIZATION.degraded_h.std == pytest.approx((0.1987, 0.1924, 0.2054), abs=1e-4)
        # Downsampling takes variance away, the mean stays.
        for image, h in (
            (AIM_NORMALIZATION.clean, AIM_NORMALIZATION.clean_h),
            (AIM_NORMALIZATION.degraded, AIM_NORMALIZATION.degraded_h),
        ):
            assert h.mean == pytest.approx(image.mean, abs=1e-3)
            assert all(small < large for small, large in zip(h.std, image.std, strict=True))

    def test_a_published_checkpoint_of_aim_goes_with_its_statistics(self) -> None:
        assert set(PUBLISHED) == {"aim", "ntire", "dped"}
        assert PUBLISHED["aim"].normalization == AIM_NORMALIZATION
        assert replace(PUBLISHED["aim"], normalization=None) == preset("aim").architecture
        assert all(PUBLISHED[name] == preset(name).architecture for name in ("ntire", "dped"))


class TestRepaired:
    @pytest.mark.parametrize("name", ["aim", "ntire", "dped"])
    def test_the_network_is_the_papers_but_for_couplings_shift_and_grain(self, name: str) -> None:
        paper, repaired = preset(name), preset(f"{name}+")
        network = repaired.architecture
        assert (network.h_noise, network.coupling, network.shift, network.shift_start) == (
            "auto",
            "additive",
            "binned",
            0.3,
        )
        assert network.grain
        published = replace(
            network.as_published(), coupling="affine", shift="correlated", shift_start=0.01, grain=False
        )
        assert published == paper.architecture
        assert replace(repaired.training, shift_rate_factor=1.0) == paper.training
        assert replace(repaired.data, held_out=0.0) == paper.data


class TestTheSmallOnes:
    @pytest.mark.parametrize(("name", "most"), [("medium", 10_000_000), ("small", 1_500_000), ("tiny", 100_000)])
    def test_sizes(self, name: str, most: int) -> None:
        parameters = sum(p.numel() for p in build_bijector(preset(name).architecture).parameters())
        assert parameters < most

    def test_small_dequantises_as_the_paper_does(self) -> None:
        assert preset("small").architecture.bins == preset("ntire").architecture.bins


class TestNames:
    def test_all_of_them(self) -> None:
        assert list(PRESETS) == ["aim", "ntire", "dped", "aim+", "ntire+", "dped+", "small", "medium", "tiny"]
        assert all(preset(name) is run for name, run in PRESETS.items())

    @pytest.mark.parametrize("name", list(PRESETS))
    def test_no_folders_and_crops_that_fit(self, name: str) -> None:
        run = preset(name)
        assert run.data.clean is run.data.degraded is run.data.kernels is None
        assert run.data.crop % run.architecture.alignment == 0

    @pytest.mark.parametrize(("name", "near"), [("smal", "small"), ("AIM", "aim"), ("ntire20", "ntire")])
    def test_the_nearest_is_proposed(self, name: str, near: str) -> None:
        with pytest.raises(UserError, match=f"preset '{name}' is unknown; did you mean '{near}'"):
            preset(name)

    def test_or_all_are_listed(self) -> None:
        with pytest.raises(
            UserError, match=r"there are: aim, ntire, dped, aim\+, ntire\+, dped\+, small, medium, tiny"
        ):
            preset("zzz")
