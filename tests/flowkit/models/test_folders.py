from pathlib import Path

import pytest

from flowkit.models import whole_folder


def stopped_halfway(target: Path) -> None:
    with whole_folder(target) as temporary:
        (temporary / "file").write_text("new")
        raise RuntimeError("stopped")


def contents(folder: Path) -> dict[str, str]:
    return {file.name: file.read_text() for file in folder.iterdir()}


def test_it_appears_at_the_end_with_its_parents(tmp_path: Path) -> None:
    target = tmp_path / "a" / "b"
    with whole_folder(target) as temporary:
        (temporary / "file").write_text("new")
        assert not target.exists()
    assert contents(target) == {"file": "new"}
    assert [path.name for path in target.parent.iterdir()] == ["b"]


def test_an_existing_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    (target / "old").write_text("old")
    with whole_folder(target) as temporary:
        (temporary / "file").write_text("new")
        assert contents(target) == {"old": "old"}
    assert contents(target) == {"file": "new"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_an_error_leaves_everything_as_it_was(tmp_path: Path) -> None:
    target = tmp_path / "model"
    target.mkdir()
    (target / "old").write_text("old")
    with pytest.raises(RuntimeError, match="stopped"):
        stopped_halfway(target)
    assert contents(target) == {"old": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_if_the_new_one_cannot_take_the_name_the_old_one_gets_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "model"
    target.mkdir()
    (target / "old").write_text("old")
    rename = Path.rename

    def failing(self: Path, new: Path) -> Path:
        if new == target and not self.name.endswith(".old"):
            raise OSError("full")
        return rename(self, new)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(OSError, match="full"), whole_folder(target) as temporary:
        (temporary / "file").write_text("new")
    assert contents(target) == {"old": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_link_is_followed(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "real")
    with whole_folder(link) as temporary:
        (temporary / "file").write_text("new")
    assert link.is_symlink()
    assert contents(tmp_path / "real") == {"file": "new"}


def test_a_file_of_that_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(FileExistsError, match="file: a file has that name"), whole_folder(tmp_path / "file"):
        pass
    assert contents(tmp_path) == {"file": "mine"}


class TestWhatMayBeReplaced:
    @pytest.fixture
    def model(self, tmp_path: Path) -> Path:
        folder = tmp_path / "model"
        folder.mkdir()
        (folder / "weights").write_text("old")
        return folder

    def test_the_names_that_are_given(self, model: Path) -> None:
        with whole_folder(model, replaces=("config", "weights")) as temporary:
            (temporary / "weights").write_text("new")
        assert contents(model) == {"weights": "new"}

    def test_anything_else_is_refused_before_the_block_begins(self, model: Path) -> None:
        (model / "thesis").write_text("precious")
        with (
            pytest.raises(FileExistsError, match="holds 'thesis', which replacing the folder would delete"),
            whole_folder(model, replaces=("config", "weights")),
        ):
            pytest.fail("the block was entered")
        assert contents(model) == {"weights": "old", "thesis": "precious"}
        assert list(model.parent.iterdir()) == [model]
