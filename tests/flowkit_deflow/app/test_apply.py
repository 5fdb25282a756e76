import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor

from flowkit_deflow.app.apply import AHEAD, Job, apply_to_images, plan
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import ImageError, list_images, read_image, write_image
from flowkit_deflow.images.noise import NoiseSource
from flowkit_deflow.method.model import DeFlow
from tests.flowkit_deflow.conftest import Photos


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class Noisy:
    """An image plus its own random numbers, twice; counts its calls."""

    def __init__(self, versions: int = 1) -> None:
        self.versions = versions
        self.calls = 0

    def __call__(self, image: Tensor, noise: NoiseSource) -> list[Tensor]:
        self.calls += 1
        return [image + 0.1 * noise(f"version {i}", image.shape) for i in range(self.versions)]


class TestPlan:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        source = tmp_path / "in"
        for name in ("b.jpg", "a.png", "sub/deep/c.tiff", "sub/d.v1.png"):
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).touch()
        return source

    def targets(self, jobs: Sequence[Job], root: Path) -> list[list[str]]:
        return [[target.relative_to(root).as_posix() for target in job.targets] for job in jobs]

    def test_names_and_folders_are_kept(self, folder: Path, tmp_path: Path) -> None:
        jobs = plan(folder, tmp_path / "out", None, ".png")
        assert [job.key for job in jobs] == ["a.png", "b.jpg", "sub/d.v1.png", "sub/deep/c.tiff"]
        assert self.targets(jobs, tmp_path / "out") == [["a.png"], ["b.png"], ["sub/d.v1.png"], ["sub/deep/c.png"]]

    def test_samples_are_numbered(self, folder: Path, tmp_path: Path) -> None:
        jobs = plan(folder, tmp_path, 2, ".jpg", ["_mean"])
        assert self.targets(jobs, tmp_path)[2] == ["sub/d.v1_s0.jpg", "sub/d.v1_s1.jpg", "sub/d.v1_mean.jpg"]
        assert self.targets(plan(folder, tmp_path, 1, ".jpg"), tmp_path)[0] == ["a_s0.jpg"]

    @pytest.mark.parametrize(
        ("target", "samples", "expected"),
        [
            ("out", None, ["out/a.webp"]),
            ("out.png", None, ["out.png"]),
            ("out.JPG", None, ["out.JPG"]),
            ("deep/out.tif", 2, ["deep/out_s0.tif", "deep/out_s1.tif"]),
        ],
    )
    def test_one_image_goes_into_a_folder_or_a_file(
        self, folder: Path, tmp_path: Path, target: str, samples: int | None, expected: list[str]
    ) -> None:
        (job,) = plan(folder / "a.png", tmp_path / target, samples, ".webp")
        assert job.key == "a.png"
        assert self.targets([job], tmp_path) == [expected]

    def test_a_folder_may_be_called_like_an_image(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "out.png").mkdir()
        (job,) = plan(folder / "a.png", tmp_path / "out.png", None, ".png")
        assert job.targets == (tmp_path / "out.png" / "a.png",)

    def test_two_images_of_one_name_collide(self, folder: Path, tmp_path: Path) -> None:
        (folder / "a.jpg").touch()
        with pytest.raises(UserError, match=r"a\.jpg and .*a\.png would both be written to .*a\.png; rename"):
            plan(folder, tmp_path / "out", None, ".png")

    def test_a_sample_collides_with_an_image_of_its_name(self, folder: Path, tmp_path: Path) -> None:
        (folder / "a_s1.png").touch()
        plan(folder, tmp_path / "out", 1, ".png")
        (folder / "a_mean.png").touch()
        with pytest.raises(UserError, match="would both be written"):
            plan(folder, tmp_path / "out", None, ".png", ["_mean"])

    def test_nothing_is_written_over_its_source(self, folder: Path) -> None:
        with pytest.raises(UserError, match=r"a\.png: would be overwritten"):
            plan(folder, folder, None, ".png")
        with pytest.raises(UserError, match=r"a\.png: would be overwritten"):
            plan(folder / "a.png", folder / "sub" / ".." / "a.png", None, ".jpg")

    @pytest.mark.parametrize("suffix", [".gif", ".pgm", "png", ""])
    def test_unknown_formats(self, folder: Path, tmp_path: Path, suffix: str) -> None:
        with pytest.raises(UserError, match="is unknown; there are: "):
            plan(folder, tmp_path, None, suffix)

    def test_results_inside_the_source_are_not_taken_for_images(self, folder: Path) -> None:
        before = [job.key for job in plan(folder, folder / "out", None, ".png")]
        (folder / "out").mkdir()
        (folder / "out" / "a.png").touch()
        assert [job.key for job in plan(folder, folder / "out", None, ".png")] == before
        (folder / "out" / "4x").mkdir()
        (folder / "out" / "4x" / "a.png").touch()
        assert [job.key for job in plan(folder, folder / "out" / "8x", None, ".png", (), folder / "out")] == before

    def test_a_folder_does_not_go_into_a_file(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(UserError, match="is a file, but"):
            plan(folder, tmp_path / "file", None, ".png")


class TestApplyToImages:
    def results(self, source: Path, out: Path, *, seed: int = 0, workers: int = 2) -> dict[str, bytes]:
        apply_to_images(plan(source, out, 2, ".png"), Noisy(2), seed=seed, workers=workers)
        return contents(out)

    def test_the_seed_alone_decides(self, photos: Photos, tmp_path: Path) -> None:
        one = self.results(photos.clean, tmp_path / "1", workers=1)
        assert len(one) == 16
        assert "more/rocket_1_s1.png" in one
        assert one["more/rocket_1_s0.png"] != one["more/rocket_1_s1.png"]
        assert self.results(photos.clean, tmp_path / "2", workers=7) == one
        other = self.results(photos.clean, tmp_path / "3", seed=1)
        assert all(other[name] != one[name] for name in one)

    def test_order_and_other_files_change_nothing(self, photos: Photos, tmp_path: Path) -> None:
        whole = self.results(photos.clean, tmp_path / "whole")
        jobs = plan(photos.clean, tmp_path / "backwards", 2, ".png")
        apply_to_images(jobs[::-1], Noisy(2))
        assert contents(tmp_path / "backwards") == whole
        few = tmp_path / "few"
        (few / "more").mkdir(parents=True)
        for name in ("coffee_1.png", "more/rocket_1.png"):
            shutil.copy(photos.clean / name, few / name)
        write_image(few / "another.png", torch.zeros(3, 5, 5))
        results = self.results(few, tmp_path / "few out")
        assert {name: whole[name] for name in results if "another" not in name} == {
            name: data for name, data in results.items() if "another" not in name
        }

    def test_a_single_file_gets_the_same_as_within_its_folder(self, photos: Photos, tmp_path: Path) -> None:
        whole = self.results(photos.clean, tmp_path / "whole")
        alone = self.results(photos.clean / "coffee_1.png", tmp_path / "alone")
        assert alone == {name: whole[name] for name in ("coffee_1_s0.png", "coffee_1_s1.png")}

    def test_a_model_gives_the_same_bytes_whatever_the_tiles(
        self, photos: Photos, model_folder: Path, tmp_path: Path
    ) -> None:
        model = DeFlow.from_pretrained(model_folder)

        def degrade(tile: int | None) -> dict[str, bytes]:
            out = tmp_path / str(tile)

            def function(image: Tensor, noise: NoiseSource) -> list[Tensor]:
                return list(model.degrade(image[None], noise=noise, samples=1, tile=tile)[0])

            apply_to_images(plan(photos.clean, out, None, ".png"), function)
            return contents(out)

        # Tiles of 32 pixels see 64 around them: all of an image of 40 x 56.
        assert degrade(None) == degrade(32)

    def test_what_is_there_is_skipped(self, photos: Photos, tmp_path: Path) -> None:
        jobs = plan(photos.clean, tmp_path, 2, ".png")
        calls = Noisy(2)
        done: list[int] = []
        outcome = apply_to_images(jobs, calls, progress=lambda: done.append(1))
        assert (outcome.written, outcome.skipped, outcome.problems, calls.calls, len(done)) == (8, 0, [], 8, 8)
        before = contents(tmp_path)
        jobs[3].targets[1].unlink()
        jobs[4].targets[0].write_bytes(b"mine")
        outcome = apply_to_images(jobs, calls, progress=lambda: done.append(1))
        assert (outcome.written, outcome.skipped, calls.calls, len(done)) == (1, 7, 9, 16)
        assert jobs[4].targets[0].read_bytes() == b"mine"
        outcome = apply_to_images(jobs, calls, overwrite=True)
        assert (outcome.written, outcome.skipped) == (8, 0)
        assert contents(tmp_path) == before

    @pytest.fixture
    def damaged(self, photos: Photos, tmp_path: Path) -> Path:
        folder = tmp_path / "damaged"
        shutil.copytree(photos.clean, folder)
        whole = (folder / "coffee_0.png").read_bytes()
        (folder / "coffee_0.png").write_bytes(whole[: len(whole) // 2])
        (folder / "aaa.png").touch()
        (folder / "text.jpg").write_text("no image")
        return folder

    def test_unreadable_images_are_named_and_the_rest_is_done(self, damaged: Path, tmp_path: Path) -> None:
        done: list[int] = []
        outcome = apply_to_images(
            plan(damaged, tmp_path / "out", None, ".png"), Noisy(), progress=lambda: done.append(1)
        )
        assert outcome.written == 7
        assert len(done) == 10
        for name, problem in zip(("aaa.png", "coffee_0.png", "text.jpg"), outcome.problems, strict=True):
            assert str(damaged / name) in problem
        assert len(contents(tmp_path / "out")) == 7

    def test_strict_stops_at_the_first(self, damaged: Path, tmp_path: Path) -> None:
        calls = Noisy()
        with pytest.raises(ImageError, match=r"aaa\.png"):
            apply_to_images(plan(damaged, tmp_path / "out", None, ".png"), calls, strict=True)
        assert calls.calls == 0
        assert not (tmp_path / "out").exists()

    def test_a_result_that_is_not_finite_is_an_error_that_names_the_image(self, photos: Photos, tmp_path: Path) -> None:
        jobs = plan(photos.clean, tmp_path / "out", None, ".png")
        with pytest.raises(UserError, match="not finite") as error:
            apply_to_images(jobs, lambda image, noise: [image * torch.nan])
        assert str(jobs[0].source) in str(error.value)
        assert not (tmp_path / "out").exists()

    def test_more_images_than_are_read_ahead(self, tmp_path: Path) -> None:
        count = 3 * AHEAD + 1
        for number in range(count):
            write_image(tmp_path / "in" / f"{number:02}.png", torch.full((3, 2, 2), number / 255))
        jobs = plan(tmp_path / "in", tmp_path / "out", None, ".png")
        outcome = apply_to_images(jobs, lambda image, noise: [image], workers=1)
        assert outcome.written == count
        for number, path in enumerate(list_images(tmp_path / "out")):
            assert torch.equal(read_image(path), torch.full((3, 2, 2), number / 255))

    def test_a_failed_write_stops_the_work_early(self, photos: Photos, tmp_path: Path) -> None:
        # A file stands where the sub-folder "more" would be made.
        (tmp_path / "more").touch()
        calls = Noisy()
        with pytest.raises(UserError, match=r"more"):
            apply_to_images(plan(photos.clean, tmp_path, None, ".png"), calls)
        assert calls.calls == 0

    def test_an_unknown_number_of_results_is_a_fault_of_the_function(self, photos: Photos, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="zip"):
            apply_to_images(plan(photos.clean, tmp_path, 2, ".png"), Noisy(1))
