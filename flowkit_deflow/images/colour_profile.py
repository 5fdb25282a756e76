"""Embedded colour profiles (ICC) to sRGB."""

import io

from PIL import Image, ImageCms

__all__ = ["to_srgb"]

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
        # Converting sRGB to itself would only round.
        if "sRGB" in ImageCms.getProfileDescription(source):
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
