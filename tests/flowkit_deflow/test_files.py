import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowkit_deflow.errors import UserError
from flowkit_deflow.files import atomic_folder, atomic_path, require_folder, require_target


@contextlib.contextmanager
def no_right_to_write(folder: Path) -> Iterator[None]:
    """Run the block as somebody who may read the folder but not write to it (the superuser always may)."""
    folder.chmod(0o555)
    superuser = os.geteuid() == 0
    if superuser:
        os.seteuid(65534)
    try:
        yield
    finally:
        if superuser:
            os.seteuid(0)
        folder.chmod(0o755)


def told(caught: pytest.ExceptionInfo[UserError], path: Path) -> str:
    message = str(caught.value)
    assert "\n" not in message
    assert f"'{path}'" in message
    return message


def fail_halfway(path: Path, failure: type[BaseException]) -> None:
    with atomic_path(path) as temporary:
        temporary.write_text("half")
        raise failure("stop")


def fill_the_disk(temporary: Path) -> None:
    # A device that is always full: the kernel's own ENOSPC.
    temporary.symlink_to("/dev/full")
    temporary.write_text("lost")


def write_note(path: Path, text: str = "new") -> None:
    with atomic_path(path) as temporary:
        temporary.write_text(text)


def write_model(path: Path, text: str = "new") -> None:
    with atomic_folder(path) as temporary:
        (temporary / "config.json").write_text(text)


class TestAtomicPath:
    def test_the_temporary_path_is_a_hidden_sibling_of_the_same_suffix(self, tmp_path: Path) -> None:
        target = tmp_path / "a" / "b" / "image.png"
        with atomic_path(target) as first, atomic_path(target) as second:
            assert first.parent == target.parent
            assert first.suffix == ".png"
            assert first.name.startswith(".")
            assert first != second
            first.touch()
            second.touch()

    def test_the_file_appears_at_the_end_and_nothing_stays_behind(self, tmp_path: Path) -> None:
        target = tmp_path / "note.txt"
        target.write_text("old")
        with atomic_path(target) as temporary:
            temporary.write_text("new")
            assert target.read_text() == "old"
        assert target.read_text() == "new"
        assert list(tmp_path.iterdir()) == [target]

    @pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt, UserError])
    def test_a_failure_keeps_the_old_file_and_passes_through(
        self, tmp_path: Path, failure: type[BaseException]
    ) -> None:
        target = tmp_path / "note.txt"
        target.write_text("old")
        with pytest.raises(failure, match="stop"):
            fail_halfway(target, failure)
        assert target.read_text() == "old"
        assert list(tmp_path.iterdir()) == [target]

    def test_permissions_are_those_of_any_new_file(self, tmp_path: Path) -> None:
        (tmp_path / "plain").touch()
        write_note(tmp_path / "note")
        assert (tmp_path / "note").stat().st_mode == (tmp_path / "plain").stat().st_mode

    def test_a_link_stays_and_its_file_is_replaced(self, tmp_path: Path) -> None:
        real = tmp_path / "real" / "note.txt"
        write_note(real, "old")
        link = tmp_path / "link.txt"
        link.symlink_to(real)
        write_note(link)
        assert link.is_symlink()
        assert real.read_text() == "new"

    def test_the_longest_name_that_the_file_system_takes(self, tmp_path: Path) -> None:
        target = tmp_path / ("n" * 251 + ".txt")
        write_note(target)
        assert target.read_text() == "new"

    def test_a_full_disk(self, tmp_path: Path) -> None:
        target = tmp_path / "note.txt"
        with pytest.raises(UserError) as caught, atomic_path(target) as temporary:
            fill_the_disk(temporary)
        message = told(caught, target)
        assert os.strerror(errno.ENOSPC) in message
        assert "free some space" in message
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_without_the_right_to_write(self, tmp_path: Path) -> None:
        target = tmp_path / "note.txt"
        with no_right_to_write(tmp_path), pytest.raises(UserError) as caught:
            write_note(target)
        message = told(caught, target)
        assert os.strerror(errno.EACCES) in message
        assert "choose a folder that you may write to" in message

    @pytest.mark.parametrize("below", ["note.txt", "deeper/note.txt"])
    def test_a_file_where_a_folder_is_needed(self, tmp_path: Path, below: str) -> None:
        (tmp_path / "file").touch()
        target = tmp_path / "file" / below
        with pytest.raises(UserError) as caught:
            write_note(target)
        assert "a file stands where a folder is needed" in told(caught, target)

    def test_a_folder_of_that_name(self, tmp_path: Path) -> None:
        with pytest.raises(UserError) as caught:
            write_note(tmp_path)
        assert "is a folder" in told(caught, tmp_path)

    def test_a_device_is_never_replaced(self) -> None:
        null = Path("/dev/null")
        with pytest.raises(UserError) as caught:
            write_note(null)
        assert "device" in told(caught, null)
        assert null.is_char_device()

    def test_a_name_that_is_too_long(self, tmp_path: Path) -> None:
        target = tmp_path / ("n" * 300)
        with pytest.raises(UserError) as caught:
            write_note(target)
        assert "shorter name" in told(caught, target)

    def test_a_library_error_without_a_number_is_told_in_one_line(self, tmp_path: Path) -> None:
        target = tmp_path / "note.txt"
        with pytest.raises(UserError) as caught, atomic_path(target):
            raise OSError("encoder error -2\nwhen writing")
        assert "encoder error -2 when writing" in told(caught, target)

    def test_an_error_about_another_file_is_not_blamed_on_this_one(self, tmp_path: Path) -> None:
        other = tmp_path / "missing.txt"
        with pytest.raises(FileNotFoundError, match=r"missing\.txt"), atomic_path(tmp_path / "note.txt"):
            other.read_text()

    def test_a_block_that_writes_nothing_is_a_mistake_of_the_program(self, tmp_path: Path) -> None:
        with pytest.raises(ValueError, match="nothing was written"), atomic_path(tmp_path / "note.txt"):
            pass


class TestAtomicFolder:
    def test_a_new_folder(self, tmp_path: Path) -> None:
        target = tmp_path / "runs" / "model"
        with atomic_folder(target) as temporary:
            assert temporary.parent == target.parent
            assert temporary.name.startswith(".")
            (temporary / "config.json").write_text("{}")
            assert not target.exists()
        assert [file.name for file in target.iterdir()] == ["config.json"]
        assert list(target.parent.iterdir()) == [target]

    def test_an_old_folder_is_replaced_as_a_whole(self, tmp_path: Path) -> None:
        target = tmp_path / "model"
        (target / "deep").mkdir(parents=True)
        (target / "deep" / "old").touch()
        write_model(target)
        assert [file.name for file in target.iterdir()] == ["config.json"]
        assert list(tmp_path.iterdir()) == [target]

    @pytest.mark.parametrize("failure", [RuntimeError, KeyboardInterrupt])
    def test_a_failure_keeps_the_old_folder(self, tmp_path: Path, failure: type[BaseException]) -> None:
        target = tmp_path / "model"
        write_model(target, "old")
        with pytest.raises(failure, match="stop"), atomic_folder(target) as temporary:
            fail_halfway(temporary / "config.json", failure)
        assert (target / "config.json").read_text() == "old"
        assert list(tmp_path.iterdir()) == [target]

    def test_a_failing_swap_puts_the_old_folder_back(self, tmp_path: Path) -> None:
        target = tmp_path / "model"
        write_model(target, "old")
        with pytest.raises(UserError) as caught, atomic_folder(target) as temporary:
            # The second rename has nothing to move.
            temporary.rmdir()
        told(caught, target)
        assert (target / "config.json").read_text() == "old"
        assert list(tmp_path.iterdir()) == [target]

    def test_a_link_to_a_folder_is_followed(self, tmp_path: Path) -> None:
        write_model(tmp_path / "real", "old")
        (tmp_path / "link").symlink_to(tmp_path / "real")
        write_model(tmp_path / "link")
        assert (tmp_path / "link").is_symlink()
        assert (tmp_path / "real" / "config.json").read_text() == "new"

    def test_a_file_of_that_name(self, tmp_path: Path) -> None:
        (tmp_path / "model").write_text("precious")
        with pytest.raises(UserError, match=r"model: a file has that name; give the name of a folder$"):
            write_model(tmp_path / "model")
        assert (tmp_path / "model").read_text() == "precious"

    def test_other_files_than_those_that_may_be_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.tex").write_text("precious")
        with (
            pytest.raises(UserError, match=r"holds 'thesis\.tex', which replacing the folder would delete"),
            atomic_folder(tmp_path, replaces=("config.json",)),
        ):
            pytest.fail("the block was entered")
        assert (tmp_path / "thesis.tex").read_text() == "precious"

    def test_an_error_about_another_file_is_not_blamed_on_this_folder(self, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError, match=r"missing\.txt"), atomic_folder(tmp_path / "model"):
            (tmp_path / "missing.txt").read_text()

    def test_a_full_disk(self, tmp_path: Path) -> None:
        with pytest.raises(UserError) as caught, atomic_folder(tmp_path / "model") as temporary:
            fill_the_disk(temporary / "weights")
        assert os.strerror(errno.ENOSPC) in told(caught, tmp_path / "model")
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_without_the_right_to_write(self, tmp_path: Path) -> None:
        with no_right_to_write(tmp_path), pytest.raises(UserError) as caught:
            write_model(tmp_path / "model")
        assert os.strerror(errno.EACCES) in told(caught, tmp_path / "model")


class TestRequireFolder:
    def test_a_folder_is_accepted(self, tmp_path: Path) -> None:
        require_folder(tmp_path, "the folder of photographs")

    def test_a_missing_one_is_named_with_its_purpose(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match=r"^the folder of photographs .* does not exist; check") as caught:
            require_folder(tmp_path / "none", "the folder of photographs")
        told(caught, tmp_path / "none")

    def test_a_file_suggests_the_folder_that_holds_it(self, tmp_path: Path) -> None:
        (tmp_path / "photo.png").touch()
        with pytest.raises(UserError, match="is a file, not a folder") as caught:
            require_folder(tmp_path / "photo.png", "the folder of photographs")
        assert f"'{tmp_path}'" in told(caught, tmp_path / "photo.png")


class TestRequireTarget:
    @pytest.mark.parametrize("name", ["note.txt", "runs/note.txt", "there.txt"])
    def test_a_place_for_a_file(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "there.txt").touch()
        require_target(tmp_path / name)

    @pytest.mark.parametrize("name", ["", "new", "new/newer"])
    def test_a_place_for_a_folder(self, tmp_path: Path, name: str) -> None:
        require_target(tmp_path / name, folder=True)

    def test_a_folder_where_a_file_is_meant(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="give the name of a file") as caught:
            require_target(tmp_path)
        told(caught, tmp_path)

    @pytest.mark.parametrize("name", ["file", "file/below"])
    def test_a_file_where_a_folder_is_meant(self, tmp_path: Path, name: str) -> None:
        (tmp_path / "file").touch()
        with pytest.raises(UserError, match=r"is no folder; .*move it away") as caught:
            require_target(tmp_path / name, folder=True)
        told(caught, tmp_path / name)

    def test_a_folder_that_may_not_be_written_to(self, tmp_path: Path) -> None:
        with (
            no_right_to_write(tmp_path),
            pytest.raises(UserError, match="choose a folder that you may write to") as caught,
        ):
            require_target(tmp_path / "runs" / "note.txt")
        told(caught, tmp_path / "runs" / "note.txt")
