from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.blur_kernels import apply_kernel
from flowkit_deflow.images.image_files import ImageError, list_images, read_image, write_image
from flowkit_deflow.images.resize import bicubic_downsample
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.data import Batch, StepSampler, UnpairedCrops, measure_normalization
from tests.flowkit_deflow.conftest import HEIGHT, WIDTH, Photos

Settings = Callable[..., Run]


def crops_of(run: Run, rank: int = 0, world_size: int = 1) -> UnpairedCrops:
    return UnpairedCrops(run.data, run.architecture, run.training.batch, run.training.seed, rank, world_size)


def equal(first: Batch, second: Batch) -> bool:
    assert first.keys() == second.keys()
    return all(
        torch.equal(value, second[key]) if isinstance(value, Tensor) else value == second[key]  # type: ignore[literal-required]
        for key, value in first.items()
    )


def located(crop: Tensor, images: list[Tensor], alignment: int) -> tuple[Tensor, int, int, list[int]]:
    """The image, corner and mirrored dimensions that a crop comes from, found by comparing it with all there are."""
    side = crop.shape[-1]
    for image in images:
        for top in range(0, image.shape[-2] - side + 1, alignment):
            for left in range(0, image.shape[-1] - side + 1, alignment):
                window = image[:, top : top + side, left : left + side]
                for mirrored in ([], [-2], [-1], [-2, -1]):
                    if torch.equal(window.flip(mirrored), crop):
                        return image, top, left, mirrored
    raise AssertionError("the crop is found in no image on the grid of the alignment")


def read_all(folder: Path) -> list[Tensor]:
    return [read_image(path) for path in list_images(folder)]


class TestBatches:
    def test_a_batch_is_a_function_of_seed_and_step(self, tiny: Settings) -> None:
        run = tiny("data.crop=24")
        forwards, backwards = crops_of(run), crops_of(run)
        first = [forwards[step] for step in range(6)]
        second = [backwards[step] for step in reversed(range(6))][::-1]
        assert all(equal(a, b) for a, b in zip(first, second, strict=True))
        assert equal(crops_of(run)[5], first[5])

    def test_steps_and_seeds_differ(self, tiny: Settings) -> None:
        batches = [crops_of(tiny(f"training.seed={seed}"))[step] for seed in (0, 1) for step in (0, 1)]
        for name in ("images", "h_noise", "dequantization"):
            values = [batch[name] for batch in batches]  # type: ignore[literal-required]
            assert not any(torch.equal(a, b) for i, a in enumerate(values) for b in values[:i])

    @pytest.mark.parametrize("workers", [1, 2])
    def test_workers_change_nothing(self, tiny: Settings, workers: int) -> None:
        crops = crops_of(tiny())
        loaded = list(DataLoader(crops, batch_size=None, sampler=StepSampler(2, 7), num_workers=workers))
        assert len(loaded) == 5
        assert all(equal(batch, crops[step]) for step, batch in enumerate(loaded, start=2))

    @pytest.mark.parametrize("world_size", [2, 4])
    def test_the_shares_of_all_ranks_are_the_whole_batch(self, tiny: Settings, world_size: int) -> None:
        run = tiny("training.batch=8")
        whole = crops_of(run)[3]
        shares = [crops_of(run, rank, world_size)[3] for rank in range(world_size)]
        for name in ("images", "h", "domain", "h_noise", "dequantization"):
            assert torch.equal(torch.cat([share[name] for share in shares]), whole[name])  # type: ignore[literal-required]
        assert all(share["domain"].float().mean() == 0.5 for share in shares)

    def test_domains_are_drawn_equally_often_from_their_own_folders(self, tiny: Settings, photos: Photos) -> None:
        images = {Domain.CLEAN: read_all(photos.clean), Domain.DEGRADED: read_all(photos.noisy)}
        crops = crops_of(tiny("training.batch=6"))
        for step in range(4):
            batch = crops[step]
            assert batch["domain"].sum() == 3
            for crop, domain in zip(batch["images"], batch["domain"], strict=True):
                located(crop, images[Domain(int(domain))], alignment=4)

    def test_every_image_corner_and_mirroring_is_drawn(self, tiny: Settings, photos: Photos) -> None:
        crops = crops_of(tiny("training.batch=16", "data.crop=32", "data.held_out=0"))
        images = read_all(photos.clean)
        seen = []
        for step in range(24):
            batch = crops[step]
            seen += [located(crop, images, 4) for crop in batch["images"][batch["domain"] == Domain.CLEAN]]
        assert len({id(image) for image, *_ in seen}) == len(images)
        assert {top for _, top, _, _ in seen} == set(range(0, HEIGHT - 31, 4))
        assert {left for _, _, left, _ in seen} == set(range(0, WIDTH - 31, 4))
        assert {tuple(mirrored) for *_, mirrored in seen} == {(), (-2,), (-1,), (-2, -1)}

    def test_without_flips_nothing_is_mirrored_and_corners_stay_the_same(self, tiny: Settings) -> None:
        plain, flipped = crops_of(tiny("data.flip=false"))[0], crops_of(tiny())[0]
        for a, b in zip(plain["images"], flipped["images"], strict=True):
            assert any(torch.equal(a.flip(dims), b) for dims in ([], [-2], [-1], [-2, -1]))

    def test_random_numbers_have_their_distributions(self, tiny: Settings) -> None:
        batches = [crops_of(tiny("training.batch=16"))[step] for step in range(8)]
        uniform = torch.cat([batch["dequantization"] for batch in batches])
        assert uniform.min() >= 0
        assert uniform.max() < 1
        # 98304 uniform and 6144 normal numbers: five standard errors of their means and deviations.
        assert abs(uniform.mean() - 0.5) < 5 * 12**-0.5 / uniform.numel() ** 0.5
        normal = torch.cat([batch["h_noise"] for batch in batches if batch["h_noise"] is not None])
        assert abs(normal.mean()) < 5 / normal.numel() ** 0.5
        assert abs(normal.std() - 1) < 5 / (2 * normal.numel()) ** 0.5

    def test_without_conditioning_there_is_no_h(self, tiny: Settings) -> None:
        batch = crops_of(tiny("architecture.factor=null"))[0]
        assert batch["h"] is None
        assert batch["h_noise"] is None


class TestH:
    @pytest.mark.parametrize(("factor", "crop"), [(4, 16), (4, 24), (8, 16), (16, 32)])
    def test_h_of_a_crop_is_the_crop_of_the_whole_images_h(
        self, tiny: Settings, photos: Photos, factor: int, crop: int
    ) -> None:
        run = tiny(f"architecture.factor={factor}", f"data.crop={crop}", "training.batch=8")
        crops = crops_of(run)
        images = read_all(photos.clean) + read_all(photos.noisy)
        mirrorings = set()
        for step in range(3):
            batch = crops[step]
            assert batch["h"] is not None
            for image, h in zip(batch["images"], batch["h"], strict=True):
                whole, top, left, mirrored = located(image, images, run.architecture.alignment)
                assert top % factor == left % factor == 0
                side = crop // factor
                expected = bicubic_downsample(whole, factor)[
                    :, top // factor : top // factor + side, left // factor : left // factor + side
                ]
                mirrorings.add(tuple(mirrored))
                # The same sums of float32 numbers up to 1, in another order of rows and columns.
                torch.testing.assert_close(h.flip(mirrored), expected, atol=2e-6, rtol=0)
        assert len(mirrorings) == 4

    def test_h_sees_what_lies_beyond_the_crops_border(self, tiny: Settings) -> None:
        batch = crops_of(tiny("training.batch=8"))[0]
        assert batch["h"] is not None
        alone = bicubic_downsample(batch["images"], 4)
        assert (batch["h"] - alone).abs().max() > 0.01


class TestSources:
    def test_clean_images_are_downsampled_first(self, tiny: Settings, photos: Photos) -> None:
        run = tiny("data.clean_downsample=[2]", "data.crop=16")
        # The images are kept as bytes, so what is downsampled is rounded to 8 bits.
        small = [
            (bicubic_downsample(image, 2).clamp(0, 1) * 255 + 0.5).floor() / 255 for image in read_all(photos.clean)
        ]
        noisy = read_all(photos.noisy)
        crops = crops_of(run)
        for step in range(4):
            batch = crops[step]
            for crop, domain in zip(batch["images"], batch["domain"], strict=True):
                located(crop, noisy if domain else small, 4)

    def test_one_factor_is_drawn_for_each_crop(self, tiny: Settings, photos: Photos) -> None:
        crops = crops_of(tiny("data.clean_downsample=[1,2]", "training.batch=16"))
        full = read_all(photos.clean)
        small = [(bicubic_downsample(image, 2).clamp(0, 1) * 255 + 0.5).floor() / 255 for image in full]
        drawn = []
        for step in range(3):
            batch = crops[step]
            for crop in batch["images"][batch["domain"] == Domain.CLEAN]:
                image, *_ = located(crop, full + small, 4)
                drawn.append(image.shape[-1] == WIDTH)
        # 24 fair draws: the chance that one of the two comes up fewer than 4 times is below 3e-4.
        assert 4 <= sum(drawn) <= 20

    def test_without_a_clean_folder_x_is_made_of_the_degraded_images(self, tiny: Settings, photos: Photos) -> None:
        crops = crops_of(tiny("data.clean=null", "data.clean_downsample=[2]"))
        noisy = read_all(photos.noisy)
        small = [(bicubic_downsample(image, 2).clamp(0, 1) * 255 + 0.5).floor() / 255 for image in noisy]
        for step in range(3):
            batch = crops[step]
            for crop, domain in zip(batch["images"], batch["domain"], strict=True):
                located(crop, noisy if domain else small, 4)

    def test_a_kernel_is_applied_to_clean_images_alone(self, tiny: Settings, photos: Photos, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_text("0,0,1\n0,0,0\n0,0,0\n")
        (tmp_path / "b.csv").write_text("1,2,1\n2,4,2\n1,2,1\n")
        kernels = [
            torch.tensor([[0.0, 0, 1], [0, 0, 0], [0, 0, 0]]),
            torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16,
        ]
        crops = crops_of(tiny(f"data.kernels={tmp_path}", "training.batch=8"))
        noisy = read_all(photos.noisy)
        blurred = [
            [(apply_kernel(image, kernel).clamp(0, 1) * 255 + 0.5).floor() / 255 for image in read_all(photos.clean)]
            for kernel in kernels
        ]
        drawn = set()
        for step in range(4):
            batch = crops[step]
            for crop, domain in zip(batch["images"], batch["domain"], strict=True):
                if domain == Domain.DEGRADED:
                    located(crop, noisy, 4)
                else:
                    image, *_ = located(crop, blurred[0] + blurred[1], 4)
                    drawn.add(any(image is candidate for candidate in blurred[0]))
        assert drawn == {True, False}


class TestProblems:
    @pytest.fixture
    def mixed(self, photos: Photos, tmp_path: Path) -> Path:
        """One good image among bad ones."""
        good = next(photos.clean.glob("*.png"))
        (tmp_path / "good.png").write_bytes(good.read_bytes())
        (tmp_path / "empty.png").touch()
        (tmp_path / "text.jpg").write_text("no image")
        Image.open(good).crop((0, 0, 56, 15)).save(tmp_path / "small.png")
        return tmp_path

    def test_what_headers_show_is_left_out_and_named(self, tiny: Settings, mixed: Path, photos: Photos) -> None:
        crops = crops_of(tiny(f"data.clean={mixed}"))
        assert len(crops.problems) == 3
        for name in ("empty.png", "text.jpg", "small.png"):
            assert sum(str(mixed / name) in problem for problem in crops.problems) == 1
        assert "56 x 15 pixels" in next(problem for problem in crops.problems if "small.png" in problem)
        good = [read_image(mixed / "good.png")]
        for step in range(3):
            batch = crops[step]
            assert batch["problems"] == []
            for crop in batch["images"][batch["domain"] == Domain.CLEAN]:
                located(crop, good, 4)

    def test_a_truncated_image_gives_way_to_the_next_and_is_named(self, tiny: Settings, mixed: Path) -> None:
        whole = (mixed / "good.png").read_bytes()
        (mixed / "cut.png").write_bytes(whole[: len(whole) // 2])
        crops = crops_of(tiny(f"data.clean={mixed}"))
        batches = [crops[step] for step in range(6)]
        problems = {problem for batch in batches for problem in batch["problems"]}
        assert len(problems) == 1
        assert str(mixed / "cut.png") in problems.pop()
        assert all(batch["images"].shape == (4, 3, 16, 16) for batch in batches)
        assert all(equal(crops_of(tiny(f"data.clean={mixed}"))[step], batches[step]) for step in (5, 0))

    @pytest.mark.parametrize("name", ["empty.png", "text.jpg", "small.png"])
    def test_strict_stops_at_the_first(self, tiny: Settings, mixed: Path, name: str) -> None:
        for other in {"empty.png", "text.jpg", "small.png"} - {name}:
            (mixed / other).unlink()
        with pytest.raises(UserError, match=name):
            crops_of(tiny(f"data.clean={mixed}", "data.strict=true"))

    def test_strict_stops_at_a_truncated_image(self, tiny: Settings, photos: Photos, tmp_path: Path) -> None:
        whole = next(photos.clean.glob("*.png")).read_bytes()
        (tmp_path / "cut.png").write_bytes(whole[: len(whole) // 2])
        crops = crops_of(tiny(f"data.clean={tmp_path}", "data.strict=true"))
        with pytest.raises(ImageError, match=r"cut\.png"):
            crops[0]

    def test_nothing_but_truncated_images_is_an_error(self, tiny: Settings, photos: Photos, tmp_path: Path) -> None:
        whole = next(photos.clean.glob("*.png")).read_bytes()
        for name in ("a.png", "b.png"):
            (tmp_path / name).write_bytes(whole[: len(whole) // 2])
        with pytest.raises(UserError, match="no clean image can be read any more"):
            crops_of(tiny(f"data.clean={tmp_path}"))[0]

    def test_an_image_that_vanishes_during_the_run_gives_way(self, tiny: Settings, mixed: Path) -> None:
        extra = mixed / "extra.png"
        extra.write_bytes((mixed / "good.png").read_bytes())
        crops = crops_of(tiny(f"data.clean={mixed}"))
        extra.unlink()
        problems = {problem for step in range(6) for problem in crops[step]["problems"]}
        assert len(problems) == 1
        assert "extra.png" in problems.pop()

    @pytest.mark.parametrize("crop", [10, 18, 30])
    def test_a_crop_off_the_alignment_is_an_error(self, tiny: Settings, crop: int) -> None:
        with pytest.raises(UserError, match=rf"'data.crop' is {crop}.* multiple of 4"):
            crops_of(tiny(f"data.crop={crop}"))

    def test_crops_larger_than_every_image_are_an_error(self, tiny: Settings) -> None:
        with pytest.raises(UserError, match=r"no image in it can be used.*56 x 40.*crops of 64"):
            crops_of(tiny("data.crop=64"))

    def test_a_factor_that_leaves_no_image_large_enough_is_an_error(self, tiny: Settings) -> None:
        with pytest.raises(UserError, match=r"'data.clean_downsample' holds 4.*crops of 16"):
            crops_of(tiny("data.clean_downsample=[1,4]"))

    def test_a_crop_may_be_as_large_as_the_image(self, tiny: Settings, tmp_path: Path) -> None:
        write_image(tmp_path / "a.png", torch.rand(3, 16, 16))
        assert crops_of(tiny(f"data.clean={tmp_path}"))[0]["images"].shape == (4, 3, 16, 16)

    def test_there_have_to_be_degraded_images(self, tiny: Settings) -> None:
        with pytest.raises(UserError, match="--degraded"):
            crops_of(tiny("data.degraded=null"))

    def test_degraded_images_as_they_are_cannot_stand_for_clean_ones(self, tiny: Settings) -> None:
        with pytest.raises(UserError, match="--clean"):
            crops_of(tiny("data.clean=null", "data.clean_downsample=[1,2]"))


class TestMeasureNormalization:
    def test_moments_of_each_domains_crops_and_h(self, tiny: Settings) -> None:
        crops = crops_of(tiny("training.batch=8"))
        measured = measure_normalization(crops, batches=5)
        batches = [crops[step] for step in range(5)]
        for name, images, h in (
            ("clean", measured.clean, measured.clean_h),
            ("degraded", measured.degraded, measured.degraded_h),
        ):
            domain = Domain[name.upper()]
            for key, statistics in (("images", images), ("h", h)):
                values = torch.cat([batch[key][batch["domain"] == domain] for batch in batches]).double()  # type: ignore[literal-required]
                for channel in range(3):
                    # Sums of a few thousand float64 numbers.
                    assert statistics.mean[channel] == pytest.approx(values[:, channel].mean().item(), abs=1e-12)
                    assert statistics.std[channel] == pytest.approx(values[:, channel].std().item(), rel=1e-9)

    def test_a_flat_channel_has_a_deviation_that_can_be_divided_by(self, tiny: Settings, tmp_path: Path) -> None:
        write_image(tmp_path / "grey.png", torch.full((3, 24, 24), 0.5))
        measured = measure_normalization(crops_of(tiny(f"data.clean={tmp_path}")), batches=2)
        assert measured.clean.std == (1e-3,) * 3

    def test_without_conditioning_it_is_refused(self, tiny: Settings) -> None:
        with pytest.raises(UserError, match=r"'data.normalize' needs h"):
            measure_normalization(crops_of(tiny("architecture.factor=null")))


class TestStepSampler:
    @pytest.mark.parametrize(("start", "steps"), [(0, 4), (3, 4), (4, 4)])
    def test_it_goes_on_from_the_start(self, start: int, steps: int) -> None:
        sampler = StepSampler(start, steps)
        assert list(sampler) == list(range(start, steps))
        assert len(sampler) == steps
