"""Images of more than 8 bits per colour, which Pillow does not take."""

import logging
from importlib.util import find_spec
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import tifffile
from PIL import Image

__all__ = ["Deep", "encode_deep_png", "encode_deep_tiff", "read_deep"]

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
_PNG_START = b"\x89PNG\r\n\x1a\n"
_ORIENTATION_TAG = 274
_PROFILE_TAG = 34675
_PNG_HAS_RGB = (2, 6)

# tifffile logs what it then raises.
logging.getLogger("tifffile").addHandler(logging.NullHandler())
logging.getLogger("tifffile").propagate = False

_Array = np.ndarray[Any, Any]


class Deep(NamedTuple):
    """An image of more than 8 bits.

    Attributes:
        height: in pixels, as stored.
        width: likewise.
        n_frames: how many images the file holds.
        orientation: EXIF orientation.
        values: float32 in [0, 1], H x W x C, with C from 1 to 4; empty if the header alone was asked for.
        profile: its embedded colour profile; ``None`` if it has none.
    """

    height: int
    width: int
    n_frames: int
    orientation: int
    values: _Array
    profile: bytes | None = None


def read_deep(path: Path, page: int = 0, header: bool = False) -> Deep | None:
    """Read an image with more bits than Pillow keeps: RGB of 16 bits, and float TIFF.

    Args:
        path: the file.
        page: which image of it.
        header: leave its pixels unread.

    Returns:
        The image; ``None`` if Pillow reads it as well, or if it is a PNG file and imagecodecs is not installed.

    Raises:
        ValueError: float values outside [0, 1], or damage.
        DecompressionBombError: it is larger than Pillow would take.
    """
    with path.open("rb") as file:
        start = file.read(26)
    if start.startswith(_TIFF_STARTS):
        return _read_tiff(path, page, header)
    # In the header: width, height, bits, kind of colours.
    if start.startswith(_PNG_START) and len(start) == 26 and start[24] == 16 and start[25] in _PNG_HAS_RGB:
        return _read_png(path, start, header) if find_spec("imagecodecs") else None
    return None


def _read_png(path: Path, start: bytes, header: bool) -> Deep:
    import imagecodecs

    width, height = (int.from_bytes(start[at : at + 4], "big") for at in (16, 20))
    _require_no_bomb(height, width)
    if header:
        return Deep(height, width, 1, 1, np.empty(0, np.float32))
    values = _in_unit_range(imagecodecs.png_decode(path.read_bytes()))
    with Image.open(path) as image:
        profile = image.info.get("icc_profile")
    return Deep(height, width, 1, 1, values, profile)


def _read_tiff(path: Path, page: int, header: bool) -> Deep | None:
    try:
        with tifffile.TiffFile(path) as tiff:
            ifd = tiff.pages[page]
            assert isinstance(ifd, tifffile.TiffPage), "the pages of a file that was just opened are read in full"
            if not _is_deep(ifd):
                return None
            _require_no_bomb(ifd.imagelength, ifd.imagewidth)
            orientation = ifd.tags.valueof(_ORIENTATION_TAG, 1)
            values = np.empty(0, np.float32) if header else _in_unit_range(_pixels_last(ifd))
            profile = ifd.tags.valueof(_PROFILE_TAG)
            return Deep(ifd.imagelength, ifd.imagewidth, len(tiff.pages), int(orientation), values, profile)
    except tifffile.TiffFileError:
        # Pillow says what is wrong with it, or gets along with it.
        return None


def _is_deep(ifd: tifffile.TiffPage) -> bool:
    if ifd.dtype is None or not 1 <= ifd.samplesperpixel <= 4:
        return False
    grey, rgb = (ifd.photometric == kind for kind in (tifffile.PHOTOMETRIC.MINISBLACK, tifffile.PHOTOMETRIC.RGB))
    return (rgb and ifd.dtype == np.uint16) or ((grey or rgb) and ifd.dtype.kind == "f")


def _pixels_last(ifd: tifffile.TiffPage) -> _Array:
    values = ifd.asarray()
    if ifd.samplesperpixel == 1:
        return values.reshape(ifd.imagelength, ifd.imagewidth, 1)
    return np.moveaxis(values, 0, -1) if ifd.planarconfig == tifffile.PLANARCONFIG.SEPARATE else values


def _in_unit_range(values: _Array) -> _Array:
    if values.dtype.kind != "f":
        return values.astype(np.float32) / np.float32(np.iinfo(values.dtype).max)
    low, high = float(values.min()), float(values.max())
    # Written so that NaN fails as well.
    if not (low >= 0 and high <= 1):
        raise ValueError(f"its float values reach from {low:g} to {high:g}, outside [0, 1]")
    return values.astype(np.float32)


def _require_no_bomb(height: int, width: int) -> None:
    most = Image.MAX_IMAGE_PIXELS
    if most is not None and height * width > 2 * most:
        raise Image.DecompressionBombError(f"Image size ({height * width} pixels) exceeds limit of {2 * most} pixels")


def encode_deep_png(pixels: _Array) -> bytes:
    """A PNG file of uint16 pixels H x W x C.

    Raises:
        ImportError: imagecodecs is not installed.
    """
    import imagecodecs

    return bytes(imagecodecs.png_encode(pixels))


def encode_deep_tiff(pixels: _Array) -> bytes:
    """A TIFF file of uint16 pixels H x W x 3 or 4, losslessly compressed."""
    import io

    encoded = io.BytesIO()
    extra = ["unassalpha"] if pixels.shape[-1] == 4 else None
    tifffile.imwrite(encoded, pixels, photometric="rgb", compression="zlib", extrasamples=extra)
    return encoded.getvalue()
