from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from flowkit_deflow.images.image_files import write_image
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.method.shifts.inferred import InferredShift
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.data import UnpairedCrops
from flowkit_deflow.training.held_out import SMALLEST_FOLDER, held_out
from flowkit_deflow.training.lightning_module import DeFlowTraining

Settings = Callable[..., Run]
COUNT = 12


def names(count: int, folder: str, suffix: str = ".png") -> list[Path]:
    return [Path(folder) / f"{number:03}{suffix}" for number in range(count)]


class TestChoice:
    @given(st.integers(0, 60), st.floats(0.01, 0.99), st.integers(0, 2**32 - 1))
    def test_the_share_of_large_folders_and_nothing_of_small_ones(self, count: int, share: float, seed: int) -> None:
        files = names(count, "a")
        chosen = held_out(files, Path("a"), share, seed)
        if count < SMALLEST_FOLDER:
            assert chosen == []
        else:
            assert len(chosen) == min(max(round(share * count), 1), count - 1)
            assert chosen == sorted(chosen)
            assert set(chosen) < set(files)

    @given(st.integers(0, 2**32 - 1))
    def test_partners_of_pairs_are_held_out_together(self, seed: int) -> None:
        clean = held_out(names(20, "clean", ".png"), Path("clean"), 0.15, seed)
        degraded = held_out(names(20, "degraded", ".jpg"), Path("degraded"), 0.15, seed)
        assert [file.stem for file in clean] == [file.stem for file in degraded]

    def test_seeds_choose_differently_and_each_image_is_chosen_by_some(self) -> None:
        chosen = [tuple(held_out(names(20, "a"), Path("a"), 0.15, seed)) for seed in range(60)]
        assert len(set(chosen)) > 40
        assert {file for files in chosen for file in files} == set(names(20, "a"))

    def test_none_where_none_is_asked_for(self) -> None:
        assert held_out(names(100, "a"), Path("a"), 0.0, 0) == []


@pytest.fixture
def grey(tmp_path: Path) -> Path:
    """Folders of images of one grey value each: 0 to 11 are clean, 100 to 111 degraded."""
    for folder, first in (("clean", 0), ("degraded", 100)):
        for number in range(COUNT):
            write_image(tmp_path / folder / f"{number:02}.png", torch.full((3, 24, 24), (first + number) / 255))
    return tmp_path


def values(crops: UnpairedCrops, steps: int = 40) -> dict[Domain, set[int]]:
    """The grey values of the images that some batches are from."""
    seen: dict[Domain, set[int]] = {domain: set() for domain in Domain}
    for step in range(steps):
        batch = crops[step]
        for image, domain in zip(batch["images"], batch["domain"], strict=True):
            seen[Domain(int(domain))].add(round(float(255 * image.mean())))
    return seen


class TestCrops:
    def crops(self, tiny: Settings, grey: Path, *changes: str) -> UnpairedCrops:
        folders = (f"data.clean={grey / 'clean'}", f"data.degraded={grey / 'degraded'}")
        run = tiny(*folders, "training.batch=8", "data.held_out=0.25", *changes)
        return UnpairedCrops(run.data, run.architecture, run.training.batch, run.training.seed)

    def test_held_out_images_are_never_trained_on(self, tiny: Settings, grey: Path) -> None:
        crops = self.crops(tiny, grey)
        unseen = crops.from_held_out()
        assert unseen is not None
        trained_on, others = values(crops), values(unseen)
        for domain, first in ((Domain.CLEAN, 0), (Domain.DEGRADED, 100)):
            assert len(others[domain]) == 3
            assert trained_on[domain].isdisjoint(others[domain])
            assert trained_on[domain] | others[domain] == set(range(first, first + COUNT))

    def test_whole_images_are_those_of_the_same_part(self, tiny: Settings, grey: Path) -> None:
        unseen = self.crops(tiny, grey).from_held_out()
        assert unseen is not None
        for domain in Domain:
            whole = {round(float(255 * image.mean())) for _, image in unseen.whole_images(domain)}
            assert whole == values(unseen)[domain]

    def test_the_shift_is_measured_on_them_too(self, tiny: Settings, grey: Path) -> None:
        folders = (f"data.clean={grey / 'clean'}", f"data.degraded={grey / 'degraded'}")
        run = tiny(*folders, "training.batch=8", "data.held_out=0.25", "architecture.shift=none")

        def measured() -> Tensor:
            torch.manual_seed(0)
            module = DeFlowTraining(DeFlow(run.architecture), run)
            module.setup("fit")
            module.infer_shifts()
            return torch.cat([shift.mean for shift in module.model.latents.shifts if isinstance(shift, InferredShift)])

        before = measured()
        assert torch.equal(measured(), before)
        unseen = self.crops(tiny, grey).held_out[Domain.DEGRADED]
        write_image(unseen[0], torch.ones(3, 24, 24))
        assert not torch.equal(measured(), before)

    def test_every_process_holds_out_the_same(self, tiny: Settings, grey: Path) -> None:
        crops = self.crops(tiny, grey)
        second = UnpairedCrops(crops.data, crops.architecture, crops.batch, crops.seed, rank=1, world_size=2)
        assert second.held_out == crops.held_out
        unseen = second.from_held_out()
        assert unseen is not None
        assert len(unseen[0]["images"]) == 8

    def test_of_one_folder_for_both_domains_no_image_is_on_both_sides(self, tiny: Settings, grey: Path) -> None:
        # The smaller images are too small to be clean ones at half their size.
        for number in range(6):
            write_image(grey / "degraded" / f"{number:02}.png", torch.full((3, 40, 40), (100 + number) / 255))
        crops = self.crops(tiny, grey, "data.clean=null", "data.clean_downsample=[2]", "data.held_out=0.4")
        trained_on = {file for files in crops.files.values() for file in files}
        assert trained_on.isdisjoint(file for files in crops.held_out.values() for file in files)

    def test_there_is_no_judgement_where_the_held_out_images_cannot_be_read(self, tiny: Settings, grey: Path) -> None:
        for file in self.crops(tiny, grey).held_out[Domain.CLEAN]:
            write_image(file, torch.rand(3, 24, 24))
            file.write_bytes(file.read_bytes()[:200])
        crops = self.crops(tiny, grey)
        assert crops.from_held_out() is None
        assert any("can be read" in problem for problem in crops.problems)
