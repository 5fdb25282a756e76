"""Tensors to image files."""

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image, features
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.files import atomic_path
from flowkit_deflow.images.deep_colour import encode_deep_png, encode_deep_tiff

__all__ = ["WRITABLE_SUFFIXES", "Encoding", "to_levels", "to_uint8", "write_image", "write_pixels"]

_JPEG: dict[str, Any] = {"format": "JPEG", "quality": 95, "subsampling": 0}
_TIFF: dict[str, Any] = {"format": "TIFF"}
_AVIF: dict[str, dict[str, Any]] = {".avif": {"format": "AVIF", "quality": 95, "subsampling": "4:4:4"}}
_SAVE_OPTIONS: dict[str, dict[str, Any]] = {
    ".png": {"format": "PNG", "compress_level": 6},
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".webp": {"format": "WEBP", "quality": 95},
    ".bmp": {"format": "BMP"},
    ".tif": _TIFF,
    ".tiff": _TIFF,
    ".ppm": {"format": "PPM"},
} | (_AVIF if features.check("avif") else {})

WRITABLE_SUFFIXES = tuple(_SAVE_OPTIONS)

_DEEP = {".png": encode_deep_png, ".tif": encode_deep_tiff, ".tiff": encode_deep_tiff}
_WITH_ALPHA = (".png", ".webp", ".tif", ".tiff", ".avif")
_WITH_EXIF = (".png", ".jpg", ".jpeg", ".webp", ".avif")

_Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Encoding:
    """How images are written.

    Attributes:
        quality: of JPEG, WebP and AVIF, from 1 to 100.
        bit_depth: bits per colour, 8 or 16; 16 for PNG and TIFF.
    """

    quality: int = 95
    bit_depth: int = 8

    def require(self, suffix: str, alpha: bool = False, exif: bool = False) -> None:
        """Check that a format can hold what is asked for, before any work is done for it.

        Args:
            suffix: of the format, such as ``.png``.
            alpha: whether opacity is kept.
            exif: whether EXIF data is.

        Raises:
            UserError: it cannot, or a library is missing.

        Examples:
            >>> Encoding(bit_depth=16).require(".jpg")
            Traceback (most recent call last):
            ...
            flowkit_deflow.errors.UserError: .jpg files hold 8 bits per colour, not 16; write .png, .tif or .tiff
        """
        suffix = suffix.lower()
        if self.bit_depth not in (8, 16):
            raise UserError(f"--bit-depth {self.bit_depth}: images are written with 8 or 16 bits per colour")
        for asked, able, what in (
            (self.bit_depth == 16, tuple(_DEEP), "8 bits per colour, not 16"),
            (alpha, _WITH_ALPHA, "no opacity"),
            (exif, _WITH_EXIF, "no EXIF data here"),
        ):
            if asked and suffix not in able:
                *before, last = able
                raise UserError(f"{suffix} files hold {what}; write {', '.join(before)} or {last}")
        if self.bit_depth == 16 and exif:
            raise UserError("files of 16 bits are written without EXIF data; leave out --exif, or write 8 bits")
        if self.bit_depth == 16 and suffix == ".png":
            try:
                import imagecodecs  # noqa: F401
            except ImportError:
                raise UserError(
                    "16-bit PNG needs the library imagecodecs; pip install imagecodecs, or write .tif"
                ) from None


def to_levels(image: Tensor, bit_depth: int) -> Tensor:
    """Values in [0, 1] as integers: floor(L clamp(x, 0, 1) + 1/2) with L = 2^bits - 1, halves rounded up.

    Args:
        image: A floating-point tensor of any shape; values outside [0, 1] are clipped.
        bit_depth: 8 or 16.

    Returns:
        A uint8 or uint16 tensor of the same shape, on the same device.

    Raises:
        ValueError: If a value is NaN: no colour stands for it.
        TypeError: If the tensor is not floating-point.

    Examples:
        >>> to_levels(torch.tensor([0.0, 0.5, 1.0]), 16).tolist()
        [0, 32768, 65535]
    """
    if not image.is_floating_point():
        raise TypeError(f"expected floating-point values in [0, 1], got {image.dtype}")
    # Below float32, 255 levels and a half are not told apart.
    values = image.to(torch.promote_types(image.dtype, torch.float32))
    if values.isnan().any():
        raise ValueError(f"the image of shape {tuple(image.shape)} holds NaN")
    levels = (values.clamp(0, 1) * (2**bit_depth - 1) + 0.5).floor()
    return levels.to(torch.uint8 if bit_depth == 8 else torch.uint16)


def to_uint8(image: Tensor) -> Tensor:
    """:func:`to_levels` of 8 bits.

    Examples:
        >>> to_uint8(torch.tensor([-1.0, 0.0, 0.5, 1.0, 2.0])).tolist()
        [0, 0, 128, 255, 255]
    """
    return to_levels(image, 8)


def write_image(path: Path, image: Tensor, encoding: Encoding | None = None) -> None:
    """Write an image file, whole or not at all.

    The suffix chooses the format: PNG, BMP, TIFF and PPM keep the levels exactly; JPEG (without chroma subsampling),
    WebP and AVIF are written at the encoding's quality.

    Args:
        path: The file; missing parent folders are created, an existing file is replaced.
        image: A floating-point tensor 3 x H x W; values outside [0, 1] are clipped.
        encoding: How; 8 bits at quality 95 if ``None``.

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
    encoding = encoding or Encoding()
    _options(path)
    if image.ndim != 3 or image.shape[0] != 3 or image.numel() == 0:
        raise ValueError(f"expected an image 3 x H x W, got the shape {tuple(image.shape)}")
    pixels = to_levels(image.detach(), encoding.bit_depth).permute(1, 2, 0).contiguous().cpu().numpy()
    write_pixels(path, pixels, encoding)


def write_pixels(path: Path, pixels: _Array, encoding: Encoding, exif: bytes | None = None) -> None:
    """As :func:`write_image`, of levels.

    Args:
        path: The file.
        pixels: H x W x 3, or x 4 with opacity; uint8, or uint16 for 16 bits.
        encoding: How; see `Encoding.require` for which formats hold what.
        exif: EXIF data to write with them.

    Raises:
        UserError: As `write_image`.
    """
    options = _options(path)
    suffix = path.suffix.lower()
    encoding.require(suffix, pixels.shape[-1] == 4, exif is not None)
    encoded: bytes | memoryview
    if pixels.dtype == np.uint16:
        encoded = _DEEP[suffix](pixels)
    else:
        chosen = options | ({"quality": encoding.quality} if "quality" in options else {})
        encoded = _by_pillow(path, pixels, chosen | ({} if exif is None else {"exif": exif}))
    # Encoded in memory first: Pillow's own writer takes no notice when a full disk cuts a write short.
    with atomic_path(path) as temporary:
        temporary.write_bytes(encoded)


def _options(path: Path) -> dict[str, Any]:
    options = _SAVE_OPTIONS.get(path.suffix.lower())
    if options is None:
        known = ", ".join(_SAVE_OPTIONS)
        raise UserError(f"cannot write '{path}': the suffix '{path.suffix}' names no known format; use one of {known}")
    return options


def _by_pillow(path: Path, pixels: _Array, options: dict[str, Any]) -> memoryview:
    encoded = io.BytesIO()
    try:
        Image.fromarray(pixels).save(encoded, **options)
    except (OSError, ValueError) as error:
        height, width = pixels.shape[:2]
        raise UserError(
            f"cannot write '{path}': the format does not take this image of {width} x {height} pixels ({error}); "
            "use another one, such as .png"
        ) from error
    return encoded.getbuffer()
