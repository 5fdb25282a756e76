import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import list_images, read_image, write_image
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.settings.schema import Data, Run
from flowkit_deflow.training.data import UnpairedCrops
from flowkit_deflow.training.paired_crops import PairedCrops, crops_of
from tests.flowkit_deflow.conftest import Photos

Settings = Callable[..., Run]


@pytest.fixture(scope="module")
def pairs(photos: Photos, tmp_path_factory: pytest.TempPathFactory) -> Photos:
    """The clean photographs, and each of them darker by a fourth: a pair is known by its values."""
    folders = Photos(tmp_path_factory.mktemp("clean"), tmp_path_factory.mktemp("darker"))
    for file in list_images(photos.clean):
        name = file.relative_to(photos.clean)
        image = (read_image(file) * 255).round()
        for folder, factor in ((folders.clean, 1.0), (folders.noisy, 0.75)):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write_image(folder / name, factor * image / 255)
    return folders


def paired(tiny: Settings, pairs: Photos, *changes: str) -> Run:
    folders = f"data.clean={pairs.clean}", f"data.degraded={pairs.noisy}", "data.pairs=true"
    return tiny(*folders, "architecture.shift_start=0.3", *changes)


def crops(run: Run, rank: int = 0, world_size: int = 1) -> UnpairedCrops:
    return crops_of(run.data, run.architecture, run.training.batch, run.training.seed, rank, world_size)


class TestBatches:
    def test_both_crops_of_a_pair_show_the_same_place(self, tiny: Settings, pairs: Photos) -> None:
        made = crops(paired(tiny, pairs, "training.batch=8"))
        assert isinstance(made, PairedCrops)
        corners = set()
        for step in range(6):
            batch = made[step]
            assert batch["domain"].tolist() == [0, 1] * 4
            clean, darker = batch["images"][::2], batch["images"][1::2]
            # Both are rounded to 8 bits.
            torch.testing.assert_close(darker, 0.75 * clean, atol=0.51 / 255, rtol=0)
            corners |= {float(image[0, 0, 0]) for image in clean}
        # 24 pairs of crops: not always the same one.
        assert len(corners) > 6

    def test_they_have_one_h_and_the_same_random_numbers(self, tiny: Settings, pairs: Photos) -> None:
        batch = crops(paired(tiny, pairs, "training.batch=8"))[0]
        assert batch["h"] is not None
        assert batch["h_noise"] is not None
        for values in (batch["h"], batch["h_noise"], batch["dequantization"]):
            assert torch.equal(values[::2], values[1::2])
            assert not torch.equal(values[0], values[2])
        # It is the clean image's.
        brightness = batch["images"][::2].mean((1, 2, 3))
        torch.testing.assert_close(batch["h"][::2].mean((1, 2, 3)), brightness, atol=0.02, rtol=0)

    def test_a_batch_is_a_function_of_seed_and_step(self, tiny: Settings, pairs: Photos) -> None:
        run = paired(tiny, pairs)
        assert torch.equal(crops(run)[3]["images"], crops(run)[3]["images"])
        other = replace(run, training=replace(run.training, seed=1))
        assert not torch.equal(crops(run)[3]["images"], crops(other)[3]["images"])

    def test_processes_share_the_pairs_of_a_batch(self, tiny: Settings, pairs: Photos) -> None:
        run = paired(tiny, pairs, "training.batch=8")
        shares = [crops(run, rank, 2)[5]["images"] for rank in range(2)]
        assert torch.equal(torch.cat(shares), crops(run)[5]["images"])

    def test_without_conditioning_there_is_no_h(self, tiny: Settings, pairs: Photos) -> None:
        assert crops(paired(tiny, pairs, "architecture.factor=null"))[0]["h"] is None

    def test_whole_pairs_are_held_out(self, tiny: Settings, pairs: Photos, tmp_path: Path) -> None:
        # Two clean images more, by which another choice would be made among the clean ones.
        clean = tmp_path / "clean"
        shutil.copytree(pairs.clean, clean)
        for name in ("a", "b"):
            shutil.copy(pairs.clean / "coffee_0.png", clean / f"{name}.png")
        made = crops(paired(tiny, Photos(clean, pairs.noisy), "data.held_out=0.4", "training.batch=8"))
        held_out = made.from_held_out()
        assert held_out is not None
        assert {len(files) for files in made.files.values()} == {5}
        assert {len(files) for files in held_out.files.values()} == {3}
        for part in (made, held_out):
            names = [[file.name for file in files] for files in part.files.values()]
            assert names[0] == names[1]
            torch.testing.assert_close(part[0]["images"][1::2], 0.75 * part[0]["images"][::2], atol=0.51 / 255, rtol=0)

    def test_unpaired_crops_are_made_where_no_pairs_are_asked_for(self, tiny: Settings) -> None:
        assert type(crops(tiny())) is UnpairedCrops


class TestProblems:
    @pytest.fixture
    def folders(self, pairs: Photos, tmp_path: Path) -> Photos:
        """Two pairs that may be spoilt."""
        own = Photos(tmp_path / "clean", tmp_path / "noisy")
        for source, target in zip(pairs, own, strict=True):
            target.mkdir()
            for name in ("chelsea_0.png", "coffee_0.png"):
                (target / name).write_bytes((source / name).read_bytes())
        return own

    def test_a_missing_partner_is_named(self, tiny: Settings, folders: Photos) -> None:
        (folders.clean / "coffee_0.png").unlink()
        with pytest.raises(UserError, match=r"noisy/coffee_0\.png: no image in .*clean is called 'coffee_0'"):
            crops(paired(tiny, folders))

    def test_a_clean_image_more_is_no_harm(self, tiny: Settings, folders: Photos) -> None:
        (folders.noisy / "coffee_0.png").unlink()
        assert [len(files) for files in crops(paired(tiny, folders)).files.values()] == [1, 1]

    def test_another_format_is_a_partner_too(self, tiny: Settings, folders: Photos) -> None:
        write_image(folders.noisy / "coffee_0.bmp", read_image(folders.noisy / "coffee_0.png"))
        (folders.noisy / "coffee_0.png").unlink()
        assert len(crops(paired(tiny, folders)).files[Domain.CLEAN]) == 2

    def test_sizes_that_differ_are_named(self, tiny: Settings, folders: Photos) -> None:
        write_image(folders.noisy / "coffee_0.png", read_image(folders.noisy / "coffee_0.png")[..., 1:])
        with pytest.raises(UserError, match=r"coffee_0\.png has 56 x 40 pixels, its partner .* 55 x 40"):
            crops(paired(tiny, folders))

    @pytest.mark.parametrize("domain", list(Domain))
    def test_a_pair_of_which_one_cannot_be_read_gives_way(
        self, tiny: Settings, folders: Photos, domain: Domain
    ) -> None:
        path = folders[int(domain)] / "coffee_0.png"
        path.write_bytes(path.read_bytes()[:200])
        made = crops(paired(tiny, folders, "training.batch=8"))
        whole = read_image(folders.clean / "chelsea_0.png")
        for step in range(3):
            batch = made[step]
            torch.testing.assert_close(batch["images"][1::2], 0.75 * batch["images"][::2], atol=0.51 / 255, rtol=0)
            assert set(batch["images"][::2].flatten().tolist()) <= set(whole.flatten().tolist())
        assert any("coffee_0.png" in problem for step in range(3) for problem in made[step]["problems"])

    def test_strictly_it_is_an_error(self, tiny: Settings, folders: Photos) -> None:
        path = folders.noisy / "coffee_0.png"
        path.write_bytes(path.read_bytes()[:200])
        made = crops(paired(tiny, folders, "data.strict=true", "training.batch=8"))
        # Of 12 fair draws, one is of the damaged pair.
        with pytest.raises(UserError, match=r"coffee_0\.png"):
            _ = [made[step] for step in range(3)]

    @pytest.mark.parametrize(
        ("changes", "told"),
        [
            (["architecture.shift=none"], "'architecture.shift' is 'none'"),
            (["data.clean=null"], "folder of clean images"),
        ],
    )
    def test_settings_that_do_not_go_with_pairs(
        self, tiny: Settings, pairs: Photos, changes: list[str], told: str
    ) -> None:
        with pytest.raises(UserError, match=told):
            crops(paired(tiny, pairs, *changes))

    @pytest.mark.parametrize("changes", [{"clean_downsample": (2,)}, {"kernels": "folder"}, {"normalize": True}])
    def test_data_that_is_changed_on_one_side_is_no_pair(self, changes: dict[str, object]) -> None:
        with pytest.raises(ValueError, match="the images of a pair are taken as they are"):
            Data(pairs=True, **changes)  # type: ignore[arg-type]
