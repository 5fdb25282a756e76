"""Folders that appear whole or not at all."""

import contextlib
import os
import shutil
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path

__all__ = ["whole_folder"]


@contextlib.contextmanager
def whole_folder(path: Path, replaces: Collection[str] | None = None) -> Iterator[Path]:
    """A temporary folder beside ``path`` that takes its place when the block ends well, else is removed.

    A folder that is there already is replaced as a whole, and what it held is deleted. No portable system call
    exchanges two folders, so the swap is two renames: the old folder is set aside under a hidden name, the new one
    takes its name, then the old one is deleted. A process killed between the two renames leaves both, complete, as
    ``.NAME.*.old`` and ``.NAME.*``; if the second rename fails, the first is undone. A symbolic link is followed.

    Args:
        path: the folder; missing parents are created.
        replaces: names that the old folder may hold; ``None`` for any.

    Yields:
        An empty folder in the same parent, under a hidden name.

    Raises:
        FileExistsError: a file has that name, or the old folder holds something else than ``replaces`` names.
        OSError: the folder cannot be made or renamed.

    Examples:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "model"
        >>> with whole_folder(target) as temporary:
        ...     _ = (temporary / "config.json").write_text("{}")
        >>> [file.name for file in target.iterdir()]
        ['config.json']
    """
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_dir():
        raise FileExistsError(f"{path}: a file has that name; give the name of a folder")
    if replaces is not None and target.is_dir():
        others = sorted({file.name for file in target.iterdir()} - set(replaces))
        if others:
            raise FileExistsError(
                f"{path}: holds {others[0]!r}, which replacing the folder would delete; choose a new folder"
            )
    target.parent.mkdir(parents=True, exist_ok=True)
    # The name is cut so that the token never pushes a long name over the file system's limit.
    temporary = target.with_name(f".{target.name[:32]}.{uuid.uuid4().hex[:12]}")
    temporary.mkdir()
    try:
        yield temporary
        _swap_in(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap_in(temporary: Path, target: Path) -> None:
    if not target.exists():
        temporary.rename(target)
        return
    old = temporary.with_name(f"{temporary.name}.old")
    target.rename(old)
    try:
        temporary.rename(target)
    except BaseException:
        old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
