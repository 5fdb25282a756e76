"""Image files to tensors."""

import contextlib
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.colour_profile import deep_to_srgb, to_srgb
from flowkit_deflow.images.deep_colour import Deep, read_deep
from flowkit_deflow.images.image_listing import IMAGE_SUFFIXES

__all__ = ["ImageError", "Picture", "image_size", "page_count", "read_image", "read_picture"]

# Pillow knows formats that run other programs (EPS) or that nobody trains on: they are not even tried.
_READ_FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "TIFF", "PPM", "AVIF", "HEIF")

# What decoders let through on damaged files: they parse with struct, zlib and plain indexing.
_DECODING_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    TypeError,
    LookupError,
    MemoryError,
    RuntimeError,
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
# Those of them that make columns of rows.
_LYING = (5, 6, 7, 8)


class ImageError(UserError):
    """A file that cannot be read as an image: the message names it, the reason, and what to do.

    Examples:
        >>> issubclass(ImageError, UserError)
        True
    """


class Picture(NamedTuple):
    """An image as it was read, upright.

    Attributes:
        pixels: ``3 x H x W``: bytes where the file has no more than 8 bits, otherwise float32 in [0, 1].
        alpha: its opacity, ``1 x H x W``, likewise; ``None`` if it has none, or if it was laid on white.
        exif: its EXIF data without the orientation; ``None`` if it has none, or if it was not asked for.
    """

    pixels: Tensor
    alpha: Tensor | None = None
    exif: bytes | None = None


def read_image(path: Path) -> Tensor:
    """An image file as an RGB tensor, upright, its transparency laid on white; :func:`read_picture` says more.

    Args:
        path: The file; its content decides the format, not its suffix.

    Returns:
        A float32 tensor 3 x H x W in [0, 1], on the CPU.

    Raises:
        ImageError: If the file is missing, empty, truncated, damaged, not an image, or so large that Pillow
            takes it for a decompression bomb.

    Examples:
        >>> import tempfile
        >>> from flowkit_deflow.images.image_writing import write_image
        >>> path = Path(tempfile.mkdtemp()) / "grey.png"
        >>> write_image(path, torch.full((3, 2, 4), 0.2))
        >>> image = read_image(path)
        >>> image.shape, image.dtype, round(image[0, 0, 0].item(), 6)
        (torch.Size([3, 2, 4]), torch.float32, 0.2)
    """
    return _unit_range(read_picture(path).pixels)


def read_picture(path: Path, page: int = 0, keep_alpha: bool = False, keep_exif: bool = False) -> Picture:
    """An image file as it is: with as many bits as it has, and what else it carries.

    - The EXIF orientation is applied, and an embedded colour profile (ICC) converted to sRGB.
    - Grey, palette, 1-bit and CMYK images become RGB.
    - 16-bit images are divided by 65535 and keep their precision: grey ones, RGB ones of TIFF files, and those of PNG
      files where the library imagecodecs is installed. 32-bit integer grey up to 65535 is read likewise.
    - 32-bit float TIFF files, grey or RGB, are taken as they are and must lie in [0, 1]. Of these and of 16-bit images,
      the colour profiles of RGB ones are converted where imagecodecs is installed, and a colour that is declared
      transparent is kept.

    Args:
        path: The file; its content decides the format, not its suffix.
        page: Which image of an animation or a file of several pages.
        keep_alpha: Give the opacity with the colours, instead of laying them on white.
        keep_exif: Give the EXIF data, of all formats but TIFF, whose tags are the file's layout.

    Raises:
        ImageError: As `read_image`.
    """
    with _opened(path, page) as image:
        if isinstance(image, Deep):
            return _deep_picture(image, keep_alpha)
        if page:
            image.seek(page)
        # The pixels first: some formats store their EXIF data behind them.
        image.load()
        exif = image.getexif()
        turn = _UPRIGHT.get(exif.pop(_ORIENTATION_TAG, 1))
        kept = exif.tobytes() if keep_exif and exif and image.format != "TIFF" else None
        upright = image if turn is None else image.transpose(turn)
        return Picture(*_pixels(upright, keep_alpha), exif=kept)


def image_size(path: Path) -> tuple[int, int]:
    """Height and width of an image file, upright, from its header alone: its pixels may still be damaged.

    Args:
        path: The file.

    Returns:
        Height and width in pixels, as `read_image` gives them. (Of a PNG file whose EXIF data stands behind its pixels,
        as they are stored.)

    Raises:
        ImageError: As for `read_image`, as far as the header shows it.

    Examples:
        >>> import tempfile
        >>> from flowkit_deflow.images.image_writing import write_image
        >>> path = Path(tempfile.mkdtemp()) / "a.png"
        >>> write_image(path, torch.zeros(3, 2, 4))
        >>> image_size(path)
        (2, 4)
    """
    with _opened(path, header=True) as image:
        lies = _orientation_in_header(image) in _LYING
        return (image.width, image.height) if lies else (image.height, image.width)


def _orientation_in_header(image: Image.Image | Deep) -> object:
    """The EXIF orientation, as far as it is known before the pixels are decoded."""
    if isinstance(image, Deep):
        return image.orientation
    # Pillow itself gives the upright size of TIFF files.
    known = image.format != "TIFF" and "exif" in image.info
    return image.getexif().get(_ORIENTATION_TAG) if known else None


def page_count(path: Path) -> int:
    """How many images a file holds; 1 of a file that cannot be read, which reading will name."""
    try:
        with _opened(path, header=True) as image:
            return int(getattr(image, "n_frames", 1))
    except ImageError:
        return 1


@contextlib.contextmanager
def _opened(path: Path, page: int = 0, header: bool = False) -> Iterator[Image.Image | Deep]:
    """A file as Pillow opens it, or what is deeper than Pillow reads; whatever goes wrong with it is told plainly."""
    try:
        if path.is_file() and path.stat().st_size == 0:
            raise ImageError(f"cannot read the image '{path}': the file is empty; copy it again, or remove it")
        deep = read_deep(path, page, header)
        if deep is not None:
            yield deep
            return
        if path.suffix.lower() in (".heic", ".heif"):
            _register_heif()
        with Image.open(path, formats=[name for name in _READ_FORMATS if name in _known_formats()]) as image:
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


def _known_formats() -> dict[str, Any]:
    Image.init()
    return Image.OPEN


def _register_heif() -> None:
    if ".heic" in IMAGE_SUFFIXES and "HEIF" not in _known_formats():
        from pillow_heif import register_heif_opener

        register_heif_opener()


def _deep_picture(deep: Deep, keep_alpha: bool) -> Picture:
    turn = _UPRIGHT.get(deep.orientation)
    values = deep.values
    if turn is not None:
        values = _turned(values, turn)
    if deep.profile and values.shape[-1] >= len("RGB"):
        values = np.concatenate([deep_to_srgb(values[..., :3], deep.profile), values[..., 3:]], -1)
    planes = torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))
    colour = planes[:3] if len(planes) >= 3 else planes[:1].expand(3, -1, -1).contiguous()
    if len(planes) not in (2, 4):
        return Picture(colour)
    return _with_alpha(colour, planes[-1:], keep_alpha)


def _turned(values: np.ndarray[Any, Any], turn: Image.Transpose) -> np.ndarray[Any, Any]:
    """An array H x W x C, turned as Pillow turns images."""
    steps = {
        Image.Transpose.FLIP_LEFT_RIGHT: (False, slice(None), slice(None, None, -1)),
        Image.Transpose.ROTATE_180: (False, slice(None, None, -1), slice(None, None, -1)),
        Image.Transpose.FLIP_TOP_BOTTOM: (False, slice(None, None, -1), slice(None)),
        Image.Transpose.TRANSPOSE: (True, slice(None), slice(None)),
        Image.Transpose.ROTATE_270: (True, slice(None), slice(None, None, -1)),
        Image.Transpose.TRANSVERSE: (True, slice(None, None, -1), slice(None, None, -1)),
        Image.Transpose.ROTATE_90: (True, slice(None, None, -1), slice(None)),
    }
    transposed, rows, columns = steps[turn]
    return (values.swapaxes(0, 1) if transposed else values)[rows, columns]


def _pixels(image: Image.Image, keep_alpha: bool) -> tuple[Tensor, Tensor | None]:
    if image.mode == "F":
        return _grey_in_unit_range(np.array(image, dtype=np.float32), "32-bit float"), None
    if image.mode == "I" or image.mode.startswith("I;16"):
        return _grey_in_unit_range(np.array(image).astype(np.float64) / 65535, "integer (divided by 65535)"), None
    if image.has_transparency_data:
        planes = _bytes(to_srgb(image).convert("RGBA"))
        if bool((planes[3] == 255).all()):
            return planes[:3].contiguous(), planes[3:] if keep_alpha else None
        return _with_alpha(planes[:3], planes[3:], keep_alpha)[:2]
    colours = to_srgb(image)
    # Converting to the mode that it has would copy it: of 24 MP, another 100 MB.
    return _bytes(colours if colours.mode == "RGB" else colours.convert("RGB")), None


def _with_alpha(colour: Tensor, alpha: Tensor, keep_alpha: bool) -> Picture:
    if keep_alpha:
        return Picture(colour, alpha)
    colour, alpha = _unit_range(colour), _unit_range(alpha)
    return Picture(colour * alpha + (1 - alpha))


def _bytes(image: Image.Image) -> Tensor:
    # Copied once, into planes: what Pillow hands out is read-only.
    return torch.from_numpy(np.array(np.asarray(image, dtype=np.uint8).transpose(2, 0, 1), order="C"))


def _unit_range(pixels: Tensor) -> Tensor:
    return pixels.to(torch.float32) / 255 if pixels.dtype is torch.uint8 else pixels


def _grey_in_unit_range(values: np.ndarray[Any, Any], kind: str) -> Tensor:
    low, high = float(values.min()), float(values.max())
    # Written so that NaN fails as well.
    if not (low >= 0 and high <= 1):
        raise ValueError(f"its {kind} values reach from {low:g} to {high:g}, outside [0, 1]")
    return torch.from_numpy(values.astype(np.float32)).expand(3, -1, -1).contiguous()
