"""A folder of images as an LMDB, which programs that train read faster than many small files."""

import re
from pathlib import Path

from flowkit_deflow.errors import UserError
from flowkit_deflow.files import atomic_folder
from flowkit_deflow.images.image_files import image_size, list_images

__all__ = ["require_lmdb", "write_lmdb"]

META = "meta_info.txt"
FILES = ("data.mdb", "lock.mdb", META)
# LMDB's pages, some of which hold keys alone; the file takes no more space than it needs, whatever its bound.
PAGE = 4096
SPARE = 64 * 2**20
# What the lines say of PNG's compression; no reader uses it.
LEVEL = 6


def require_lmdb() -> None:
    """Check that the library is installed, before any work is done.

    Raises:
        UserError: it is not.
    """
    try:
        import lmdb  # noqa: F401
    except ImportError:
        raise UserError("--lmdb needs the library lmdb: pip install 'flowkit-deflow[lmdb]'") from None


def write_lmdb(folder: Path, target: Path) -> Path:
    """Write all images of a folder into an LMDB as BasicSR and Real-ESRGAN read it, whole or not at all.

    The values are the files as they are; ``meta_info.txt`` has a line ``KEY.SUFFIX (HEIGHT,WIDTH,3) LEVEL`` for each. A
    key is the file's path without its suffix, every character that BasicSR cannot have in one (dots, and letters
    outside ASCII) as ``_``.

    Args:
        folder: of the images.
        target: the LMDB, a folder whose name ends with ``.lmdb``; one that is there is replaced.

    Returns:
        The LMDB.

    Raises:
        UserError: it cannot be written, an image cannot be read, or two images would have one key.
    """
    import lmdb

    files: dict[str, Path] = {}
    for file in list_images(folder):
        key = re.sub(r"[^A-Za-z0-9_/ -]", "_", file.relative_to(folder).with_suffix("").as_posix())
        if key in files:
            raise UserError(f"{files[key]} and {file} would have the one key {key!r} in {target}; rename one of them")
        files[key] = file
    space = sum(file.stat().st_size + 2 * PAGE for file in files.values()) + SPARE
    with atomic_folder(target, FILES) as temporary:
        try:
            with lmdb.open(str(temporary), map_size=space) as environment, environment.begin(write=True) as changes:
                for key, file in files.items():
                    changes.put(key.encode("ascii"), file.read_bytes())
        except lmdb.Error as error:
            raise UserError(
                f"{target}: cannot be written ({error}); free some space, or write to another disk"
            ) from None
        lines = [f"{key}{file.suffix} ({_shape(file)}) {LEVEL}\n" for key, file in files.items()]
        (temporary / META).write_text("".join(lines), encoding="ascii")
    return target


def _shape(file: Path) -> str:
    height, width = image_size(file)
    return f"{height},{width},3"
