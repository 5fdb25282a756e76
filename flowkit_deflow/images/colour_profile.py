"""Embedded colour profiles (ICC) to sRGB."""

import io
import logging
from importlib.util import find_spec
from typing import Any

import numpy as np
from PIL import Image, ImageCms

__all__ = ["deep_to_srgb", "to_srgb"]

log = logging.getLogger(__name__)

# The mode in which Pillow gives the values that a profile of each colour space is about.
_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}


def to_srgb(image: Image.Image) -> Image.Image:
    """An 8-bit image in sRGB.

    One without a profile is taken for sRGB, as is one whose profile is about another colour space than its pixels.
    Colours are mapped relative to white, with black point compensation, as photographers' programs do by default.

    Args:
        image: of any 8-bit mode.

    Returns:
        The image itself where there is nothing to convert, otherwise an RGB image, with its opacity if it has any.

    Raises:
        ValueError: the profile is damaged.
    """
    embedded = image.info.get("icc_profile")
    if not embedded:
        return image
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
        if _is_srgb(source):
            return image
        mode = _MODES.get(source.profile.xcolor_space)
        has_colours = image.mode not in ("1", "L", "LA")
        if mode is None or (mode == "CMYK") != (image.mode == "CMYK") or (mode == "L") == has_colours:
            return image
        converted = ImageCms.profileToProfile(
            image.convert(mode),
            source,
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError) as error:
        raise ValueError(f"its colour profile is damaged ({error}); remove the profile") from error
    assert converted is not None, "only a conversion in place gives None"
    if image.has_transparency_data:
        converted.putalpha(image.convert("RGBA").getchannel("A"))
    return converted


def deep_to_srgb(colours: np.ndarray[Any, Any], embedded: bytes | None) -> np.ndarray[Any, Any]:
    """As :func:`to_srgb`, of an image of more than 8 bits, which Pillow does not convert.

    It needs imagecodecs; without it the colours stay as they are, which is told.

    Args:
        colours: H x W x 3, float32 in [0, 1].
        embedded: the profile; ``None``: there is none.

    Raises:
        ValueError: the profile is damaged.
    """
    if not embedded:
        return colours
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(embedded))
        if _is_srgb(source) or source.profile.xcolor_space != "RGB ":
            return colours
        if find_spec("imagecodecs") is None:
            log.warning("Colours of 16-bit images with a profile are taken as they are: pip install imagecodecs")
            return colours
        import imagecodecs

        converted = imagecodecs.cms_transform(
            np.ascontiguousarray(colours),
            embedded,
            ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes(),
            colorspace="rgb",
            outcolorspace="rgb",
            intent=imagecodecs.CMS.INTENT.RELATIVE_COLORIMETRIC,
            flags=imagecodecs.CMS.FLAGS.BLACKPOINTCOMPENSATION,
        )
    except (ImageCms.PyCMSError, OSError, RuntimeError) as error:
        raise ValueError(f"its colour profile is damaged ({error}); remove the profile") from error
    return np.asarray(converted, np.float32).clip(0, 1)


def _is_srgb(profile: ImageCms.ImageCmsProfile) -> bool:
    """Whether converting to sRGB would only round."""
    return "sRGB" in ImageCms.getProfileDescription(profile)
