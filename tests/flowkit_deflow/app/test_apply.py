import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import torch
from PIL import Image
from torch import Tensor

import flowkit_deflow.app.store
from flowkit_deflow.app.apply import AHEAD, Outcome, apply_to_images
from flowkit_deflow.app.jobs import Job, Naming, Plan, Shard, plan
from flowkit_deflow.app.manifest import MANIFEST, Manifest
from flowkit_deflow.app.origin import Origin
from flowkit_deflow.app.rendering import Rendering
from flowkit_deflow.app.renderings import in_unit_range, whole
from flowkit_deflow.app.store import Store
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import ImageError, list_images, read_image, write_image
from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.method.latent_edits import Degrade
from flowkit_deflow.method.model import DeFlow
from tests.flowkit_deflow.conftest import Photos


def contents(folder: Path) -> dict[str, bytes]:
    """Every file but the record, which says when."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".jsonl")
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def rendered(*versions: Tensor) -> Rendering:
    sizes = [(version.shape[-2], version.shape[-1]) for version in versions]
    return Rendering(sizes, (whole(i, version) for i, version in enumerate(versions)))


class Noisy:
    """An image plus its own random numbers, some times; counts its calls."""

    def __init__(self, versions: int = 1) -> None:
        self.versions = versions
        self.calls = 0

    def __call__(self, images: Tensor, noise: SeededNoise) -> Rendering:
        self.calls += 1
        clean = in_unit_range(images)
        return rendered(*(clean + 0.1 * noise(f"version {i}", clean.shape) for i in range(self.versions)))


ORIGIN = Origin("degrade", "a model", {"temperature": 1.0})


def apply(
    source: Path,
    out: Path,
    work: Callable[[Tensor, SeededNoise], Rendering],
    samples: int | None = None,
    origin: Origin = ORIGIN,
    backwards: bool = False,
    **options: object,
) -> Outcome:
    """What a command does with a folder."""
    jobs = plan(source, out, Naming(".png", samples)).jobs
    store = Store(Manifest.beside(source, out), origin)
    return apply_to_images(jobs[::-1] if backwards else jobs, work, store, **options)  # type: ignore[arg-type]


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

    def keys(self, planned: Plan) -> list[str]:
        return [job.key for job in planned.jobs]

    def test_a_format_that_is_not_written_makes_no_folder(self, folder: Path, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"x\.gif: images are not written as \.gif; there are: \.png"):
            plan(folder / "a.png", tmp_path / "x.gif", Naming(".png"))

    def test_a_name_that_is_too_long_leaves_that_image_out(self, folder: Path, tmp_path: Path) -> None:
        (folder / f"{'n' * 250}.jpg").touch()
        planned = plan(folder, tmp_path, Naming(".png", 2))
        assert self.keys(planned) == ["a.png", "b.jpg", "sub/d.v1.png", "sub/deep/c.tiff"]
        assert [problem.split(": ")[1] for problem in planned.problems] == [
            "its result's name would be too long for a file system; rename the image"
        ]

    def test_all_pages_get_results_of_their_own(self, folder: Path, tmp_path: Path) -> None:
        pages = [Image.new("L", (4, 4), level) for level in (0, 100, 200)]
        pages[0].save(folder / "sub" / "deep" / "c.tiff", save_all=True, append_images=pages[1:])
        jobs = plan(folder / "sub" / "deep", tmp_path, Naming(".png", 1, all_pages=True)).jobs
        assert self.targets(jobs, tmp_path) == [["c_p0_s0.png"], ["c_p1_s0.png"], ["c_p2_s0.png"]]
        # The first page's numbers are those of the file's first page alone.
        assert [(job.key, job.page) for job in jobs] == [("c.tiff", 0), ("c.tiff#1", 1), ("c.tiff#2", 2)]

    def test_what_is_no_image_is_counted_by_kind(self, folder: Path, tmp_path: Path) -> None:
        for name in ("x.gif", "sub/Y.GIF", "z.CR2", "notes", "sub/notes.txt"):
            (folder / name).touch()
        assert plan(folder, tmp_path, Naming(".png")).others == {".gif": 2, ".cr2": 1, "": 1, ".txt": 1}

    def test_shards_share_the_work_out(self, folder: Path, tmp_path: Path) -> None:
        jobs = plan(folder, tmp_path, Naming(".png")).jobs
        shares = [Shard(number, 3).of(jobs) for number in (1, 2, 3)]
        assert sorted((job for share in shares for job in share), key=jobs.index) == jobs
        assert [len(share) for share in shares] == [2, 1, 1]

    @pytest.mark.parametrize("text", ["0/3", "4/3", "3", "a/b", "-1/3", "1/0"])
    def test_a_shard_that_there_is_not(self, text: str) -> None:
        with pytest.raises(UserError, match="--shard"):
            Shard.parse(text)

    def test_names_and_folders_are_kept(self, folder: Path, tmp_path: Path) -> None:
        jobs = plan(folder, tmp_path / "out", Naming(".png")).jobs
        assert [job.key for job in jobs] == ["a.png", "b.jpg", "sub/d.v1.png", "sub/deep/c.tiff"]
        assert self.targets(jobs, tmp_path / "out") == [["a.png"], ["b.png"], ["sub/d.v1.png"], ["sub/deep/c.png"]]

    def test_samples_are_numbered(self, folder: Path, tmp_path: Path) -> None:
        jobs = plan(folder, tmp_path, Naming(".jpg", 2, ("_mean",))).jobs
        assert self.targets(jobs, tmp_path)[2] == ["sub/d.v1_s0.jpg", "sub/d.v1_s1.jpg", "sub/d.v1_mean.jpg"]
        assert self.targets(plan(folder, tmp_path, Naming(".jpg", 1)).jobs, tmp_path)[0] == ["a_s0.jpg"]

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
        (job,) = plan(folder / "a.png", tmp_path / target, Naming(".webp", samples)).jobs
        assert job.key == "a.png"
        assert self.targets([job], tmp_path) == [expected]

    def test_a_folder_may_be_called_like_an_image(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "out.png").mkdir()
        (job,) = plan(folder / "a.png", tmp_path / "out.png", Naming(".png")).jobs
        assert job.targets == (tmp_path / "out.png" / "a.png",)

    def test_two_images_of_one_name_collide(self, folder: Path, tmp_path: Path) -> None:
        (folder / "a.jpg").touch()
        (folder / "b.bmp").touch()
        with pytest.raises(
            UserError, match=r"a\.jpg and .*a\.png to .*a\.png; .*b\.bmp and .*b\.jpg to .*--keep-suffix"
        ):
            plan(folder, tmp_path / "out", Naming(".png"))
        jobs = plan(folder, tmp_path / "out", Naming(".png", keep_suffix=True)).jobs
        assert self.targets(jobs, tmp_path / "out")[:2] == [["a.jpg.png"], ["a.png.png"]]

    def test_a_sample_collides_with_an_image_of_its_name(self, folder: Path, tmp_path: Path) -> None:
        (folder / "a_s1.png").touch()
        plan(folder, tmp_path / "out", Naming(".png", 1))
        (folder / "a_mean.png").touch()
        with pytest.raises(UserError, match="written to the same file"):
            plan(folder, tmp_path / "out", Naming(".png", endings=("_mean",)))

    def test_nothing_is_written_over_its_source(self, folder: Path) -> None:
        with pytest.raises(UserError, match=r"a\.png: would be overwritten"):
            plan(folder, folder, Naming(".png"))
        with pytest.raises(UserError, match=r"a\.png: would be overwritten"):
            plan(folder / "a.png", folder / "sub" / ".." / "a.png", Naming(".jpg"))

    @pytest.mark.parametrize("suffix", [".gif", ".pgm", "png", ""])
    def test_unknown_formats(self, folder: Path, tmp_path: Path, suffix: str) -> None:
        with pytest.raises(UserError, match="is unknown; there are: "):
            plan(folder, tmp_path, Naming(suffix))

    def test_results_inside_the_source_are_not_taken_for_images(self, folder: Path) -> None:
        before = self.keys(plan(folder, folder / "out", Naming(".png")))
        (folder / "out").mkdir()
        (folder / "out" / "a.png").touch()
        assert self.keys(plan(folder, folder / "out", Naming(".png"))) == before
        (folder / "out" / "4x").mkdir()
        (folder / "out" / "4x" / "a.png").touch()
        assert self.keys(plan(folder, folder / "out" / "8x", Naming(".png"), folder / "out")) == before

    def test_a_folder_does_not_go_into_a_file(self, folder: Path, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(UserError, match="is a file, but"):
            plan(folder, tmp_path / "file", Naming(".png"))


class TestApplyToImages:
    def results(self, source: Path, out: Path, *, seed: int = 0, workers: int = 2) -> dict[str, bytes]:
        apply(source, out, Noisy(2), 2, seed=seed, workers=workers)
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
        expected = self.results(photos.clean, tmp_path / "whole")
        apply(photos.clean, tmp_path / "backwards", Noisy(2), 2, backwards=True)
        assert contents(tmp_path / "backwards") == expected
        few = tmp_path / "few"
        (few / "more").mkdir(parents=True)
        for name in ("coffee_1.png", "more/rocket_1.png"):
            shutil.copy(photos.clean / name, few / name)
        write_image(few / "another.png", torch.zeros(3, 5, 5))
        results = self.results(few, tmp_path / "few out")
        assert {name: expected[name] for name in results if "another" not in name} == {
            name: data for name, data in results.items() if "another" not in name
        }

    def test_a_single_file_gets_the_same_as_within_its_folder(self, photos: Photos, tmp_path: Path) -> None:
        expected = self.results(photos.clean, tmp_path / "whole")
        alone = self.results(photos.clean / "coffee_1.png", tmp_path / "alone")
        assert alone == {name: expected[name] for name in ("coffee_1_s0.png", "coffee_1_s1.png")}

    def test_a_model_gives_the_same_bytes_whatever_the_tiles_and_wherever_they_are_kept(
        self, photos: Photos, model_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        model = DeFlow.from_pretrained(model_folder)

        def degrade(tile: int | None) -> dict[str, bytes]:
            out = tmp_path / str(tile)
            edit = Degrade(model.latents, 1.0)

            def work(images: Tensor, noise: SeededNoise) -> Rendering:
                size = (images.shape[-2], images.shape[-1])
                return Rendering([size, size], model.pieces(images, edit, 2, noise, tile))

            apply(photos.clean, out, work, 2)
            return contents(out)

        in_one_piece = degrade(None)
        monkeypatch.setattr(flowkit_deflow.app.store, "IN_MEMORY", 0)
        # Tiles of 32 pixels see 64 around them: all of an image of 40 x 56.
        assert degrade(32) == in_one_piece

    def test_what_is_there_is_skipped(self, photos: Photos, tmp_path: Path) -> None:
        calls = Noisy(2)
        done: list[int] = []
        outcome = apply(photos.clean, tmp_path, calls, 2, progress=lambda: done.append(1))
        assert (outcome.written, outcome.skipped, outcome.problems, calls.calls, len(done)) == (8, 0, [], 8, 8)
        before = contents(tmp_path)
        (tmp_path / "coffee_1_s1.png").unlink()
        outcome = apply(photos.clean, tmp_path, calls, 2, progress=lambda: done.append(1))
        assert (outcome.written, outcome.skipped, calls.calls, len(done)) == (1, 7, 9, 16)
        outcome = apply(photos.clean, tmp_path, calls, 2, overwrite=True)
        assert (outcome.written, outcome.skipped) == (8, 0)
        assert contents(tmp_path) == before

    @pytest.fixture
    def damaged(self, photos: Photos, tmp_path: Path) -> Path:
        folder = tmp_path / "damaged"
        shutil.copytree(photos.clean, folder)
        content = (folder / "coffee_0.png").read_bytes()
        (folder / "coffee_0.png").write_bytes(content[: len(content) // 2])
        (folder / "aaa.png").touch()
        (folder / "text.jpg").write_text("no image")
        return folder

    def test_unreadable_images_are_named_and_the_rest_is_done(self, damaged: Path, tmp_path: Path) -> None:
        done: list[int] = []
        outcome = apply(damaged, tmp_path / "out", Noisy(), progress=lambda: done.append(1))
        assert outcome.written == 7
        assert len(done) == 10
        for name, problem in zip(("aaa.png", "coffee_0.png", "text.jpg"), outcome.problems, strict=True):
            assert str(damaged / name) in problem
        assert len(contents(tmp_path / "out")) == 7

    def test_strict_stops_at_the_first(self, damaged: Path, tmp_path: Path) -> None:
        calls = Noisy()
        with pytest.raises(ImageError, match=r"aaa\.png"):
            apply(damaged, tmp_path / "out", calls, strict=True)
        assert calls.calls == 0
        assert not (tmp_path / "out").exists()

    def test_a_result_that_is_not_finite_is_an_error_that_names_the_image(self, photos: Photos, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="not finite") as error:
            apply(photos.clean, tmp_path / "out", lambda images, noise: rendered(images * torch.nan))
        assert str(list_images(photos.clean)[0]) in str(error.value)
        assert not (tmp_path / "out").exists()

    def test_more_images_than_are_read_ahead(self, tmp_path: Path) -> None:
        count = 3 * AHEAD + 1
        for number in range(count):
            write_image(tmp_path / "in" / f"{number:02}.png", torch.full((3, 2, 2), number / 255))
        outcome = apply(
            tmp_path / "in", tmp_path / "out", lambda images, noise: rendered(in_unit_range(images)), workers=1
        )
        assert outcome.written == count
        for number, path in enumerate(list_images(tmp_path / "out")):
            assert torch.equal(read_image(path), torch.full((3, 2, 2), number / 255))

    def test_a_failed_write_stops_the_work_early(self, photos: Photos, tmp_path: Path) -> None:
        # A file stands where the sub-folder "more" would be made.
        (tmp_path / "more").touch()
        calls = Noisy()
        with pytest.raises(UserError, match=r"more"):
            apply(photos.clean, tmp_path, calls)
        assert calls.calls == 0

    def test_an_unknown_number_of_results_is_a_fault_of_the_work(self, photos: Photos, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="zip"):
            apply(photos.clean, tmp_path, Noisy(1), 2)


class TestManifest:
    """What is skipped, what is made anew, and what is refused."""

    def test_another_origin_is_refused_and_what_differs_is_named(self, photos: Photos, tmp_path: Path) -> None:
        apply(photos.clean, tmp_path, Noisy())
        before = contents(tmp_path)
        for origin, differs in (
            (Origin("degrade", "a model", {"temperature": 3.0}), "temperature was 1.0, is 3.0"),
            (Origin("degrade", "another", {"temperature": 1.0}), "it was another model"),
            (Origin("restore", "a model", {"temperature": 1.0}), "command was degrade, is restore"),
        ):
            with pytest.raises(UserError, match=f"and 7 others were made otherwise: {differs}; give --overwrite"):
                apply(photos.clean, tmp_path, Noisy(), origin=origin)
        assert contents(tmp_path) == before
        assert apply(photos.clean, tmp_path, Noisy(), origin=origin, overwrite=True).written == 8
        assert apply(photos.clean, tmp_path, Noisy(), origin=origin).skipped == 8

    def test_a_file_of_unknown_origin_is_not_replaced(self, photos: Photos, tmp_path: Path) -> None:
        (tmp_path / "coffee_0.png").write_bytes(b"mine")
        with pytest.raises(UserError, match=rf"coffee_0\.png was made otherwise: no {MANIFEST}"):
            apply(photos.clean, tmp_path, Noisy())
        assert contents(tmp_path) == {"coffee_0.png": b"mine"}

    def test_images_that_changed_since_are_refused(self, photos: Photos, tmp_path: Path) -> None:
        source = tmp_path / "in"
        shutil.copytree(photos.clean, source)
        apply(source, tmp_path / "out", Noisy())
        # Touched, but the same: skipped. Changed: refused.
        (source / "coffee_0.png").touch()
        assert apply(source, tmp_path / "out", Noisy()).skipped == 8
        shutil.copy(photos.noisy / "coffee_0.png", source)
        with pytest.raises(UserError, match="the images have changed since"):
            apply(source, tmp_path / "out", Noisy())

    def test_more_samples_are_added_to_fewer(self, photos: Photos, tmp_path: Path) -> None:
        apply(photos.clean, tmp_path, Noisy(1), 1)
        before = contents(tmp_path)
        assert apply(photos.clean, tmp_path, Noisy(3), 3).written == 8
        assert {name: data for name, data in contents(tmp_path).items() if "_s0" in name} == before
        assert apply(photos.clean, tmp_path, Noisy(2), 2).skipped == 8

    @pytest.mark.parametrize("kept", [0, 1, 2, 4, 9])
    def test_stopped_anywhere_it_goes_on_to_the_same(self, photos: Photos, tmp_path: Path, kept: int) -> None:
        """A crash leaves any number of whole lines and a part of the next, and results that no line tells of yet."""
        apply(photos.clean, tmp_path, Noisy())
        before = contents(tmp_path)
        record = tmp_path / MANIFEST
        lines = record.read_bytes().splitlines(keepends=True)
        known = b"".join(lines[:kept]) + lines[kept][: len(lines[kept]) // 2]
        record.write_bytes(known)
        begun = {name for name in before if b'"begun": ["' + name.encode() in b"".join(lines[:kept])}
        for name in before:
            if name not in begun:
                (tmp_path / name).unlink()
        assert apply(photos.clean, tmp_path, Noisy()).problems == []
        assert contents(tmp_path) == before
        assert apply(photos.clean, tmp_path, Noisy()).skipped == 8

    def test_shards_in_one_folder_make_what_one_machine_makes(self, photos: Photos, tmp_path: Path) -> None:
        apply(photos.clean, tmp_path / "one", Noisy())
        out = tmp_path / "shards"
        jobs = plan(photos.clean, out, Naming(".png")).jobs
        for shard in (Shard(1, 2), Shard(2, 2)):
            apply_to_images(shard.of(jobs), Noisy(), Store(Manifest.beside(photos.clean, out, shard), ORIGIN))
        assert contents(out) == contents(tmp_path / "one")
        assert {path.name for path in out.glob("*.jsonl")} == {"manifest.1-of-2.jsonl", "manifest.2-of-2.jsonl"}
        assert apply(photos.clean, out, Noisy()).skipped == 8
