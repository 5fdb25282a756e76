"""What a preference page is made of; tests in a browser are beside this file."""

from collections import Counter
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.preference.crops import crop_windows
from flowkit_deflow.evaluation.preference.page import StudySettings, write_study
from flowkit_deflow.evaluation.preference.sessions import sessions
from flowkit_deflow.images.image_files import image_size, read_image, write_image
from tests.flowkit_deflow.evaluation.preference.conftest import COLOURS, METHODS, SIDE, Folders, study

SETTINGS = StudySettings(crop=SIDE, participants=4)


class TestCrops:
    @given(st.integers(8, 60), st.integers(8, 60), st.integers(1, 8), st.integers(0, 9))
    def test_they_lie_inside(self, height: int, width: int, side: int, seed: int) -> None:
        for window in crop_windows(height, width, side, 3, torch.Generator().manual_seed(seed)):
            assert 0 <= window.top <= height - side
            assert 0 <= window.left <= width - side
            assert window.height == window.width == side

    def test_they_do_not_overlap_where_there_is_room(self) -> None:
        for seed in range(20):
            windows = crop_windows(240, 320, 80, 3, torch.Generator().manual_seed(seed))
            covered = torch.zeros(240, 320)
            for window in windows:
                covered[window.top : window.top + 80, window.left : window.left + 80] += 1
            assert covered.max() == 1

    def test_no_room_at_all_is_told(self) -> None:
        with pytest.raises(ValueError, match="crops of 8 pixels do not fit into 9 x 7 pixels"):
            crop_windows(7, 9, 8, 1, torch.Generator())


class TestSessions:
    def test_everyone_sees_every_pair_in_an_order_of_their_own(self) -> None:
        orders = [[showing.pair for showing in session] for session in sessions(12, 6, seed=0)]
        assert all(sorted(order) == list(range(12)) for order in orders)
        assert len({tuple(order) for order in orders}) == 6

    def test_each_method_is_on_either_side_equally_often(self) -> None:
        shown = Counter(showing for session in sessions(9, 8, seed=0) for showing in session)
        assert {shown[pair, left] for pair in range(9) for left in (0, 1)} == {4}
        # Within a session, sides are mixed.
        assert all(0 < sum(showing.left for showing in session) < 9 for session in sessions(9, 8, seed=0))

    def test_a_seed_decides(self) -> None:
        assert sessions(9, 3, seed=1) == sessions(9, 3, seed=1) != sessions(9, 3, seed=2)


class TestPage:
    def test_a_pair_is_the_same_place_of_both_methods(self, folders: Folders, page: Path) -> None:
        pairs = study(page)["pairs"]
        assert Counter(pair["image"] for pair in pairs) == {"0": 3, "1": 3}
        for pair in pairs:
            for name, method in zip(pair["crops"], METHODS, strict=True):
                crop = read_image(page / name)
                assert crop.shape == (3, SIDE, SIDE)
                assert torch.equal(crop, torch.tensor(COLOURS[method])[:, None, None].expand(3, SIDE, SIDE))
            assert torch.equal(read_image(page / pair["whole"]), read_image(folders.reference / f"{pair['image']}.png"))

    def test_the_mark_is_the_crop(self, tmp_path: Path) -> None:
        image = torch.rand(3, 40, 56)
        for folder in ("a", "b", "c"):
            write_image(tmp_path / folder / "x.png", image)
        write_study(tmp_path / "a", tmp_path / "b", tmp_path / "c", tmp_path / "page", SETTINGS)
        for pair in study(tmp_path / "page")["pairs"]:
            x, y, width, height = pair["mark"]
            left, top = round(56 * x), round(40 * y)
            assert (56 * width, 40 * height) == pytest.approx((SIDE, SIDE))
            marked = read_image(tmp_path / "c" / "x.png")[:, top : top + SIDE, left : left + SIDE]
            assert torch.equal(read_image(tmp_path / "page" / pair["crops"][0]), marked)

    def test_names_of_files_leave_open_whose_they_are(self, folders: Folders, tmp_path: Path) -> None:
        write_study(*folders, tmp_path / "page", StudySettings(crop=8, crops=20))
        letters = Counter(pair["crops"][0][-5] for pair in study(tmp_path / "page")["pairs"])
        assert letters.keys() == {"a", "b"}

    def test_a_seed_makes_the_same_page(self, folders: Folders, page: Path, tmp_path: Path) -> None:
        write_study(*folders, tmp_path / "again", SETTINGS)
        assert study(tmp_path / "again") == study(page)
        write_study(*folders, tmp_path / "other", StudySettings(crop=SIDE, participants=4, seed=1))
        assert study(tmp_path / "other")["study"] != study(page)["study"]
        assert study(tmp_path / "other")["pairs"] != study(page)["pairs"]

    def test_a_page_takes_the_place_of_an_older_one_and_of_nothing_else(self, folders: Folders, tmp_path: Path) -> None:
        for _ in range(2):
            write_study(*folders, tmp_path / "page", SETTINGS)
        (tmp_path / "page" / "thesis.txt").touch()
        with pytest.raises(UserError, match=r"thesis\.txt"):
            write_study(*folders, tmp_path / "page", SETTINGS)

    def test_large_photographs_are_shown_smaller(self, tmp_path: Path) -> None:
        for folder in ("a", "b", "c"):
            write_image(tmp_path / folder / "x.png", torch.rand(3, 20, 2100))
        write_study(tmp_path / "a", tmp_path / "b", tmp_path / "c", tmp_path / "page", SETTINGS)
        assert image_size(tmp_path / "page" / "whole" / "0.png") == (7, 700)


class TestMistakes:
    def write(self, folder: Path, height: int = 40, width: int = 56, name: str = "x") -> Path:
        write_image(folder / f"{name}.png", torch.rand(3, height, width))
        return folder

    def refused(self, folders: Folders, out: Path) -> str:
        with pytest.raises(UserError) as error:
            write_study(*folders, out, SETTINGS)
        assert not out.exists()
        return str(error.value)

    def test_images_that_do_not_fit_each_other(self, tmp_path: Path) -> None:
        a, b, c = (self.write(tmp_path / name) for name in "abc")
        out = tmp_path / "page"
        narrow = self.write(tmp_path / "narrow", width=55)
        assert "has 56 x 40 pixels and" in self.refused(Folders(a, narrow, c), out)
        tall = self.write(tmp_path / "tall", 20, 20)
        assert "with sides of the same ratio" in self.refused(Folders(a, b, tall), out)
        other = self.write(tmp_path / "other", name="y")
        assert f"there is no image 'x' in {other};" in self.refused(Folders(a, other, c), out)
        assert f"there is no image 'x' in {other};" in self.refused(Folders(a, b, other), out)

    def test_what_cannot_be_shown_is_named(self, tmp_path: Path) -> None:
        folders = Folders(*(self.write(tmp_path / name, 15, 21) for name in "abc"))
        assert "21 x 15 pixels are fewer than a crop of 16 needs" in self.refused(folders, tmp_path / "page")
        for folder in folders:
            self.write(folder, name="large")
        (problem,) = write_study(*folders, tmp_path / "page", SETTINGS)
        assert "x.png: 21 x 15 pixels" in problem
        with pytest.raises(UserError, match="21 x 15"):
            write_study(*folders, tmp_path / "strict", SETTINGS, strict=True)
        assert not (tmp_path / "strict").exists()

    def test_settings_out_of_range(self) -> None:
        with pytest.raises(ValueError, match="crops is 0"):
            StudySettings(crops=0)
