"""Image files to tensors and back."""

import contextlib
import io
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.files import atomic_path, require_folder

__all__ = [
    "IMAGE_SUFFIXES",
    "WRITABLE_SUFFIXES",
    "ImageError",
    "image_size",
    "list_images",
    "read_image",
    "to_uint8",
    "write_image",
]

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".pgm")
"""The endings of the files that count as images, in lower case; they are matched in any case."""

# Pillow knows formats that run other programs (EPS) or that nobody trains on: they are not even tried.
_READ_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM")

_JPEG: dict[str, Any] = {"format": "JPEG", "quality": 95, "subsampling": 0}
_TIFF: dict[str, Any] = {"format": "TIFF"}
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG", "compress_level": 6},
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": {"format": "WEBP", "quality": 95},
    ".bmp": {"format": "BMP"},
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".ppm": {"format": "PPM"},
}

WRITABLE_SUFFIXES = tuple(_SAVE_OPTIONS)

# What Pillow's decoders let through on damaged files: they parse with struct, zlib and plain indexing.
_DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    LookupError,
    MemoryError,
    struct.error,
    zlib.error,
)

_ORIENTATION_TAG = 0x0112
# EXIF 2.3, tag Orientation: the operation that brings the stored pixels upright.
_UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


class ImageError(UserError):
    """A file that cannot be read as an image: the message names it, the reason, and what to do.

    Examples:
        >>> issubclass(ImageError, UserError)
        True
    """


def read_image(path: Path) -> Tensor:
    """An image file as an RGB tensor, upright.

    - The EXIF orientation is applied. Embedded colour profiles (ICC) are ignored: values are taken as sRGB.
    - Grey, palette, 1-bit and CMYK images become RGB. Transparency is composited onto white and dropped.
    - 16-bit grey (and 32-bit integer grey with values up to 65535) is divided by 65535 and keeps its precision,
      32-bit float grey is taken as it is and must lie in [0, 1]; a colour that such a file declares transparent
      is kept. Of a 16-bit RGB file, Pillow keeps 8 bits.
    - Of an animation or a file of several pages, the first image is read.

    Args:
        path: The file; its content decides the format, not its suffix.

    Returns:
        A float32 tensor 3 x H x W in [0, 1], on the CPU.

    Raises:
        ImageError: If the file is missing, empty, truncated, damaged, not an image, or so large that Pillow
            takes it for a decompression bomb.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "grey.png"
        >>> write_image(path, torch.full((3, 2, 4), 0.2))
        >>> image = read_image(path)
        >>> image.shape, image.dtype, round(image[0, 0, 0].item(), 6)
        (torch.Size([3, 2, 4]), torch.float32, 0.2)
    """
    with _opened(path) as image:
        # The pixels first: some formats store their EXIF data behind them.
        image.load()
        turn = _UPRIGHT.get(image.getexif().get(_ORIENTATION_TAG, 1))
        return _to_tensor(image if turn is None else image.transpose(turn))


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of an image file as stored, from its header alone: its pixels may still be damaged.

    Args:
        path: The file.

    Returns:
        Height and width in pixels, before the EXIF orientation is applied.

    Raises:
        ImageError: As for `read_image`, as far as the header shows it.

    Examples:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.png"
        >>> write_image(path, torch.zeros(3, 2, 4))
        >>> image_size(path)
        (2, 4)
    """
    with _opened(path) as image:
        return image.height, image.width


def to_uint8(image: Tensor) -> Tensor:
    """Values in [0, 1] as 8-bit values: floor(255 clamp(x, 0, 1) + 1/2), halves rounded up.

    Args:
        image: A floating-point tensor of any shape; values outside [0, 1] are clipped.

    Returns:
        A uint8 tensor of the same shape, on the same device.

    Raises:
        ValueError: If a value is NaN: no colour stands for it.
        TypeError: If the tensor is not floating-point.

    Examples:
        >>> to_uint8(torch.tensor([-1.0, 0.0, 0.5, 1.0, 2.0])).tolist()
        [0, 0, 128, 255, 255]
    """
    if not image.is_floating_point():
        raise TypeError(f"expected floating-point values in [0, 1], got {image.dtype}")
    # Below float32, 255 levels and a half are not told apart.
    values = image.to(torch.promote_types(image.dtype, torch.float32))
    if values.isnan().any():
        raise ValueError(f"the image of shape {tuple(image.shape)} holds NaN")
    return (values.clamp(0, 1) * 255 + 0.5).floor().to(torch.uint8)


def write_image(path: Path, image: Tensor) -> None:
    """Write an image as an 8-bit RGB file, whole or not at all.

    The suffix chooses the format: PNG, BMP, TIFF and PPM keep the 8-bit values exactly; JPEG (without chroma
    subsampling) and WebP are written at quality 95.

    Args:
        path: The file; missing parent folders are created, an existing file is replaced.
        image: A floating-point tensor 3 x H x W; values outside [0, 1] are clipped.

    Raises:
        UserError: If the suffix names no known format, the format cannot hold an image of this size, or the
            file cannot be written.
        ValueError: If `image` is not 3 x H x W with H, W >= 1, or holds NaN.
        TypeError: If `image` is not floating-point.

    Examples:
        >>> write_image(Path("a.gif"), torch.zeros(3, 2, 2))
        Traceback (most recent call last):
        ...
        flowkit_deflow.errors.UserError: cannot write 'a.gif': the suffix '.gif' names no known format; use one of ...
    """
    options = _SAVE_OPTIONS.get(path.suffix.lower())
    if options is None:
        known = ", ".join(_SAVE_OPTIONS)
        raise UserError(f"cannot write '{path}': the suffix '{path.suffix}' names no known format; use one of {known}")
    if image.ndim != 3 or image.shape[0] != 3 or image.numel() == 0:
        raise ValueError(f"expected an image 3 x H x W, got the shape {tuple(image.shape)}")
    pixels = to_uint8(image.detach()).permute(1, 2, 0).contiguous().cpu().numpy()
    # Encoded in memory first: Pillow's own writer takes no notice when a full disk cuts a write short.
    encoded = io.BytesIO()
    try:
        Image.fromarray(pixels).save(encoded, **options)
    except (OSError, ValueError) as error:
        height, width = image.shape[-2:]
        raise UserError(
            f"cannot write '{path}': the format does not take this image of {width} x {height} pixels ({error}); "
            "use another one, such as .png"
        ) from error
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded.getbuffer())


def list_images(folder: Path) -> list[Path]:
    """The image files in a folder and in the folders below it.

    Hidden files and folders (a leading dot) are passed over; links to folders are followed, never in circles.

    Args:
        folder: The folder, or a single image file.

    Returns:
        The files with a suffix of `IMAGE_SUFFIXES`, sorted by their path relative to `folder` (written with `/`),
        so that the order is the same on every machine; `[folder]` for a single file.

    Raises:
        UserError: If the folder is missing, cannot be read or holds no images, or the single file is no image.

    Examples:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> for name in ("b/1.PNG", "a.jpg", ".hidden.png", "notes.txt"):
        ...     (folder / name).parent.mkdir(exist_ok=True)
        ...     (folder / name).touch()
        >>> [file.relative_to(folder).as_posix() for file in list_images(folder)]
        ['a.jpg', 'b/1.PNG']
    """
    suffixes = ", ".join(IMAGE_SUFFIXES)
    if folder.is_file():
        if _is_image_name(folder.name):
            return [folder]
        raise UserError(f"'{folder}' is not an image: its suffix is none of {suffixes}; give an image or a folder")
    require_folder(folder, "the folder of images")
    try:
        found = _walk(folder, ())
    except OSError as error:
        where = error.filename or folder
        raise UserError(f"cannot list the folder '{where}': {error.strerror}; check its permissions") from error
    if not found:
        raise UserError(f"the folder '{folder}' holds no images; expected files that end in {suffixes}")
    return sorted(found, key=lambda file: file.relative_to(folder).as_posix())


@contextlib.contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """A file as Pillow opens it; whatever goes wrong with it is told plainly."""
    try:
        if path.is_file() and path.stat().st_size == 0:
            raise ImageError(f"cannot read the image '{path}': the file is empty; copy it again, or remove it")
        with Image.open(path, formats=_READ_FORMATS) as image:
            yield image
    except FileNotFoundError as error:
        raise ImageError(f"cannot read the image '{path}': there is no such file; check the path") from error
    except UnidentifiedImageError as error:
        known = ", ".join(_READ_FORMATS)
        raise ImageError(
            f"cannot read the image '{path}': its content is not an image in a known format ({known}); "
            "convert it to PNG, or remove it"
        ) from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"cannot read the image '{path}': {error}; cut it into smaller images") from error
    except _DECODING_ERRORS as error:
        told = error.strerror if isinstance(error, OSError) else None
        reason = " ".join((told or str(error) or type(error).__name__).split())
        raise ImageError(
            f"cannot read the image '{path}': {reason}; copy it again, convert it to 8-bit PNG, or remove it"
        ) from error


def _walk(folder: Path, above: tuple[str, ...]) -> list[Path]:
    here = os.path.realpath(folder)
    if here in above:
        return []
    found: list[Path] = []
    for entry in folder.iterdir():
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            found += _walk(entry, (*above, here))
        elif _is_image_name(entry.name) and entry.is_file():
            found.append(entry)
    return found


def _is_image_name(name: str) -> bool:
    return name.lower().endswith(IMAGE_SUFFIXES)


def _to_tensor(image: Image.Image) -> Tensor:
    if image.mode == "F":
        return _grey_in_unit_range(np.array(image, dtype=np.float32), "32-bit float")
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _grey_in_unit_range(np.array(image).astype(np.float64) / 65535, "integer (divided by 65535)")
    if image.has_transparency_data:
        pixels = _unit_range(image.convert("RGBA"))
        colour, alpha = pixels[:3], pixels[3:]
        return colour * alpha + (1 - alpha)
    return _unit_range(image.convert("RGB"))


def _unit_range(image: Image.Image) -> Tensor:
    pixels = torch.from_numpy(np.array(image, dtype=np.uint8))
    return pixels.permute(2, 0, 1).to(torch.float32, memory_format=torch.contiguous_format) / 255


def _grey_in_unit_range(values: np.ndarray[Any, Any], kind: str) -> Tensor:
    low, high = float(values.min()), float(values.max())
    # Written so that NaN fails as well.
    if not (low >= 0 and high <= 1):
        raise ValueError(f"its {kind} values reach from {low:g} to {high:g}, outside [0, 1]")
    return torch.from_numpy(values.astype(np.float32)).expand(3, -1, -1).contiguous()
