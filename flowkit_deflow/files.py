"""Files and folders that appear whole or not at all."""

import contextlib
import errno
import os
import uuid
from collections.abc import Collection, Iterator
from pathlib import Path

from flowkit.models import whole_folder
from flowkit_deflow.errors import UserError

__all__ = ["append_line", "atomic_folder", "atomic_path", "require_folder", "require_target", "write_text"]

_ADVICE = {
    errno.ENOSPC: "free some space there, or write to another disk",
    errno.EDQUOT: "free some of your quota, or write to another disk",
    errno.EFBIG: "raise the limit on file sizes, or write to another disk",
    errno.EACCES: "choose a folder that you may write to",
    errno.EPERM: "choose a folder that you may write to",
    errno.EROFS: "choose a folder that you may write to",
    errno.EEXIST: "a file stands where a folder is needed: move it away, or choose another path",
    errno.ENOTDIR: "a file stands where a folder is needed: move it away, or choose another path",
    errno.ENAMETOOLONG: "choose a shorter name",
    errno.EBUSY: "it is in use as a mount point or by another program: choose another path",
}
_OTHER_ADVICE = "check the path and its disk, or write elsewhere"


@contextlib.contextmanager
def atomic_path(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that is renamed over it when the block ends well, and removed otherwise.

    A reader, or a run that continues after a crash of the process, sees the old file or the new one, never half
    of one. (Nothing is flushed to the medium: a power failure is outside the promise.) A symbolic link is
    followed: the file that it points at is replaced. Only `OSError` is translated; a library that reports a full
    disk by an exception of its own is better given an open file than a path.

    Args:
        path: The file to write; missing parent folders are created.

    Yields:
        A path in the same folder, with the same suffix and a hidden, unique name; the block creates the file.

    Raises:
        UserError: If the folder cannot be made, or the file cannot be written or renamed (disk full,
            read-only folder, a folder of that name), in one line with the operating system's reason.
        ValueError: If the block ends without writing the file.

    Examples:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "runs" / "note.txt"
        >>> with atomic_path(target) as temporary:
        ...     _ = temporary.write_text("whole")
        ...     target.exists()
        False
        >>> target.read_text()
        'whole'
    """
    with _told_plainly(path) as own_paths:
        target = Path(os.path.realpath(path))
        _require_no_other(path)
        temporary = _sibling(target)
        own_paths.append(temporary)
        own_paths.append(target)
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield temporary
            if not temporary.exists():
                raise ValueError(f"nothing was written to the temporary path of '{path}'")
            temporary.replace(target)
        finally:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)


@contextlib.contextmanager
def atomic_folder(path: Path, replaces: Collection[str] | None = None) -> Iterator[Path]:
    """:func:`flowkit.models.whole_folder`, its errors told as the command line tells them.

    Args:
        path: The folder to write; missing parent folders are created.
        replaces: Names that a folder which is there already may hold; None for any: it is replaced as a whole.

    Yields:
        An empty folder with a hidden, unique name in the same parent folder.

    Raises:
        UserError: If the folder cannot be made, written or renamed, `path` is a file, or other files are there.

    Examples:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "model"
        >>> with atomic_folder(target) as temporary:
        ...     _ = (temporary / "config.json").write_text("{}")
        >>> [file.name for file in target.iterdir()]
        ['config.json']
    """
    with _told_plainly(path) as own_paths, whole_folder(path, replaces) as temporary:
        own_paths += [temporary, Path(os.path.realpath(path))]
        yield temporary


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all, in UTF-8; see :func:`atomic_path` for what is raised.

    Args:
        path: The file to write; missing parent folders are created.
        text: What it is to hold.

    Examples:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "note.txt"
        >>> write_text(target, "whole")
        >>> target.read_text()
        'whole'
    """
    with atomic_path(path) as temporary:
        # Names of files may hold bytes that are no text: these are written as escapes.
        temporary.write_text(text, encoding="utf-8", errors="backslashreplace")


def append_line(path: Path, line: str) -> None:
    """Add a line to a text file, in one write; the one kind of file that grows in place is a record of events.

    A line that a crash cut short stays as it is, and the next one starts below it: readers pass over what is no record.

    Args:
        path: The file; it and missing parent folders are created.
        line: The line, without its end.

    Raises:
        UserError: As `atomic_path`.

    Examples:
        >>> import tempfile
        >>> target = Path(tempfile.mkdtemp()) / "events.jsonl"
        >>> append_line(target, "{}")
        >>> append_line(target, "[]")
        >>> target.read_text().split()
        ['{}', '[]']
    """
    with _told_plainly(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a+b", buffering=0) as file:
            end = file.seek(0, os.SEEK_END)
            file.seek(max(end - 1, 0))
            broken = file.read(1) not in (b"", b"\n")
            file.write(b"\n" * broken + line.encode() + b"\n")


def require_folder(path: Path, purpose: str) -> None:
    """Check that a folder exists before work starts that will need it.

    Args:
        path: The folder.
        purpose: What it is for, as the message's subject: "the folder of photographs".

    Raises:
        UserError: If `path` is missing, is not a folder, or may not be looked at.

    Examples:
        >>> require_folder(Path("no/such"), "the photographs' folder")
        Traceback (most recent call last):
        ...
        flowkit_deflow.errors.UserError: the photographs' folder 'no/such' does not exist; check the spelling, ...
    """
    try:
        if path.is_dir():
            return
        exists = path.exists()
    except OSError as error:
        raise UserError(f"{purpose} '{path}' cannot be opened: {error.strerror}; check its permissions") from error
    if exists:
        raise UserError(f"{purpose} '{path}' is a file, not a folder; give the folder that holds it: '{path.parent}'")
    raise UserError(f"{purpose} '{path}' does not exist; check the spelling, or create the folder first")


def require_target(path: Path, *, folder: bool = False) -> None:
    """Check that a file can be written, or a folder's files, before work starts whose results go there.

    Args:
        path: Where they go; it and its parent folders need not exist.
        folder: Whether a folder is meant.

    Raises:
        UserError: If a folder stands where a file is meant or the other way round, or it may not be written to.

    Examples:
        >>> require_target(Path("."))
        Traceback (most recent call last):
        ...
        flowkit_deflow.errors.UserError: cannot write '.': it is a folder; give the name of a file
    """
    with _told_plainly(path):
        if not folder:
            _require_no_other(path)
        place = path if folder else path.parent
        while not place.exists() and place != place.parent:
            place = place.parent
        if not place.is_dir():
            raise NotADirectoryError(errno.ENOTDIR, f"'{place}' is no folder")
        if not os.access(place, os.W_OK | os.X_OK, effective_ids=os.access in os.supports_effective_ids):
            raise PermissionError(errno.EACCES, f"'{place}' may not be written to")


def _require_no_other(path: Path) -> None:
    """Check that a file may take the path: a file, or nothing, is there."""
    # Renaming over a device such as /dev/null would replace it for everyone.
    if path.exists() and not path.is_file():
        kind = "folder" if path.is_dir() else "device, not a regular file"
        raise UserError(f"cannot write '{path}': it is a {kind}; give the name of a file")


def _sibling(target: Path) -> Path:
    # The name is cut so that the token never pushes a long name over the file system's limit.
    return target.with_name(f".{target.stem[:32]}.{uuid.uuid4().hex[:12]}{target.suffix}")


@contextlib.contextmanager
def _told_plainly(path: Path) -> Iterator[list[Path]]:
    # The list is filled by the caller with the paths that are written: an error about another file that the
    # block reads must not be reported as a failure to write.
    own_paths: list[Path] = []
    try:
        yield own_paths
    except OSError as error:
        if own_paths and isinstance(error.filename, str | os.PathLike):
            about = Path(error.filename)
            related = any(about.is_relative_to(own) or own.is_relative_to(about) for own in own_paths)
            if not related:
                raise
        if isinstance(error, FileExistsError) and error.errno is None:
            # whole_folder's own refusal names the folder and says what to do.
            raise UserError(str(error)) from error
        # Libraries raise OSErrors of their own without a number: their text is then all that is known.
        reason = " ".join((error.strerror or str(error) or type(error).__name__).split())
        advice = _ADVICE.get(error.errno or 0, _OTHER_ADVICE)
        raise UserError(f"cannot write '{path}': {reason}; {advice}") from error
