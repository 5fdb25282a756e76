"""Formats beyond 8-bit RGB in sRGB, as cameras and editors write them."""

import io
import struct
import zlib
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image, ImageCms
from skimage import data

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import (
    Encoding,
    ImageError,
    image_size,
    page_count,
    read_image,
    read_picture,
    write_image,
    write_pixels,
)
from tests.flowkit_deflow.images.matrix_profiles import ADOBE_RGB, DISPLAY_P3, RgbSpace, to_srgb_by_formula

DEEP: np.ndarray[Any, Any] = np.random.default_rng(0).integers(0, 65536, (6, 9, 3)).astype(np.uint16)
# The linear relation that both readers give, in float32.
EXPECTED = torch.from_numpy((DEEP.astype(np.float32) / np.float32(65535)).transpose(2, 0, 1))


class TestDeepColour:
    @pytest.mark.parametrize("compression", [None, "zlib"])
    @pytest.mark.parametrize("planar", ["contig", "separate"])
    def test_16_bit_rgb_tiff(self, tmp_path: Path, compression: str | None, planar: str) -> None:
        pixels = DEEP if planar == "contig" else DEEP.transpose(2, 0, 1)
        tifffile.imwrite(tmp_path / "a.tif", pixels, photometric="rgb", planarconfig=planar, compression=compression)
        assert torch.equal(read_image(tmp_path / "a.tif"), EXPECTED)
        assert image_size(tmp_path / "a.tif") == (6, 9)

    def test_16_bit_rgb_png(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(DEEP))
        assert torch.equal(read_image(tmp_path / "a.png"), EXPECTED)

    @pytest.mark.parametrize("dtype", [np.float32, np.float16, np.float64])
    @pytest.mark.parametrize("photometric", ["rgb", "minisblack"])
    def test_float_tiff(self, tmp_path: Path, dtype: type, photometric: str) -> None:
        values = (DEEP / 65535).astype(dtype)
        values = values if photometric == "rgb" else values[..., 0]
        tifffile.imwrite(tmp_path / "a.tif", values, photometric=photometric)
        image = read_image(tmp_path / "a.tif")
        colours = values.transpose(2, 0, 1) if photometric == "rgb" else np.stack([values] * 3)
        assert torch.equal(image, torch.from_numpy(colours.astype(np.float32)))

    @pytest.mark.parametrize("value", [1.5, -0.5, np.nan])
    def test_float_rgb_outside_its_range_is_refused(self, tmp_path: Path, value: float) -> None:
        values = np.full((4, 4, 3), 0.5, np.float32)
        values[0, 0, 0] = value
        tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb")
        with pytest.raises(ImageError, match=r"outside \[0, 1\]"):
            read_image(tmp_path / "a.tif")

    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_it_is_turned_upright_as_8_bits_are(self, tmp_path: Path, orientation: int) -> None:
        small = data.astronaut()[:5, :7]
        tag = [(274, 3, 1, orientation, False)]
        tifffile.imwrite(tmp_path / "8.tif", small, photometric="rgb", extratags=tag)
        tifffile.imwrite(tmp_path / "16.tif", small.astype(np.uint16) * 257, photometric="rgb", extratags=tag)
        torch.testing.assert_close(read_image(tmp_path / "16.tif"), read_image(tmp_path / "8.tif"))

    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    def test_16_bits_come_back_as_they_were(self, tmp_path: Path, suffix: str) -> None:
        write_image(tmp_path / f"a{suffix}", EXPECTED, Encoding(bit_depth=16))
        assert torch.equal(read_image(tmp_path / f"a{suffix}"), EXPECTED)


class TestColourProfiles:
    def embedded(self, folder: Path, profile: bytes, mode: str = "RGB") -> Path:
        Image.fromarray(data.astronaut()[:8, 100:116]).convert(mode).save(folder / "a.tif", icc_profile=profile)
        return folder / "a.tif"

    def wide(self) -> bytes:
        """A profile of XYZ-like wide colours is not at hand everywhere: sRGB with the primaries' names taken off."""
        return ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()

    def test_srgb_stays_as_it_is(self, tmp_path: Path) -> None:
        profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
        image = read_image(self.embedded(tmp_path, profile))
        np.testing.assert_array_equal((image * 255).round().numpy(), data.astronaut()[:8, 100:116].transpose(2, 0, 1))

    @pytest.mark.parametrize("space", [ADOBE_RGB, DISPLAY_P3], ids=lambda space: space.name)
    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp", ".avif"])
    def test_wide_gamuts_are_converted_as_by_formula(self, space: RgbSpace, suffix: str, tmp_path: Path) -> None:
        levels = np.stack(np.meshgrid(*3 * [np.linspace(0, 255, 6)]), -1).round().astype(np.uint8).reshape(12, 18, 3)
        # Blocks of one colour, which JPEG and the like keep to a level or two.
        blocks = levels.repeat(16, 0).repeat(16, 1)
        lossy = suffix in (".jpg", ".webp", ".avif")
        quality: dict[str, Any] = {"quality": 100} if lossy else {}
        Image.fromarray(blocks).save(tmp_path / f"a{suffix}", icc_profile=space.profile(), **quality)
        colours = read_image(tmp_path / f"a{suffix}")[:, 8::16, 8::16].permute(1, 2, 0).numpy()
        error = 255 * np.abs(colours - to_srgb_by_formula(space, levels / 255))
        assert np.median(error) <= 0.5
        assert error.max() <= (9 if lossy else 0.6)

    @pytest.mark.parametrize("space", [ADOBE_RGB, DISPLAY_P3], ids=lambda space: space.name)
    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    def test_wide_gamuts_of_16_bits_are_converted(self, space: RgbSpace, suffix: str, tmp_path: Path) -> None:
        profile = space.profile()
        if suffix == ".tif":
            extra = [(34675, "B", len(profile), profile, True)]
            tifffile.imwrite(tmp_path / "a.tif", DEEP, photometric="rgb", extratags=extra)
        else:
            (tmp_path / "a.png").write_bytes(with_profile(bytes(imagecodecs.png_encode(DEEP)), profile))
        expected = to_srgb_by_formula(space, DEEP / 65535)
        # A curve of 4,096 levels between which it is interpolated.
        np.testing.assert_allclose(read_image(tmp_path / f"a{suffix}").permute(1, 2, 0), expected, atol=5e-4)

    def test_a_damaged_profile_of_16_bits_is_named(self, tmp_path: Path) -> None:
        tifffile.imwrite(tmp_path / "a.tif", DEEP, photometric="rgb", extratags=[(34675, "B", 4, b"nope", True)])
        with pytest.raises(ImageError, match="colour profile is damaged"):
            read_image(tmp_path / "a.tif")

    def test_a_profile_of_another_colour_space_is_passed_over(self, tmp_path: Path) -> None:
        image = read_image(self.embedded(tmp_path, self.wide()))
        np.testing.assert_array_equal((image * 255).round().numpy(), data.astronaut()[:8, 100:116].transpose(2, 0, 1))

    def test_a_damaged_profile_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ImageError, match="colour profile is damaged"):
            read_image(self.embedded(tmp_path, b"no profile at all"))


def with_profile(png: bytes, profile: bytes) -> bytes:
    """A PNG file with a chunk ``iCCP`` behind its header of 33 bytes."""
    content = b"iCCP" + b"wide\0\0" + zlib.compress(profile)
    return png[:33] + struct.pack(">I", len(content) - 4) + content + struct.pack(">I", zlib.crc32(content)) + png[33:]


class TestAlpha:
    @pytest.mark.parametrize("bits", [8, 16])
    def test_kept_or_laid_on_white(self, tmp_path: Path, bits: int) -> None:
        top = 2**bits - 1
        pixels = np.full((2, 3, 4), top, np.uint8 if bits == 8 else np.uint16)
        pixels[..., 0], pixels[0, 0, 3] = 0, 0
        write_pixels(tmp_path / "a.tif", pixels, Encoding(bit_depth=bits))
        picture = read_picture(tmp_path / "a.tif", keep_alpha=True)
        assert picture.alpha is not None
        assert (picture.alpha[0] == 0).nonzero().tolist() == [[0, 0]]
        assert (picture.pixels[0] == 0).all()
        assert read_image(tmp_path / "a.tif")[0].tolist() == [[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]]


class TestPages:
    @pytest.mark.parametrize("suffix", [".tif", ".webp"])
    def test_each_can_be_read(self, tmp_path: Path, suffix: str) -> None:
        pages = [Image.new("RGB", (4, 4), (level, level, level)) for level in (0, 100, 200)]
        pages[0].save(tmp_path / f"a{suffix}", save_all=True, append_images=pages[1:], lossless=True)
        assert page_count(tmp_path / f"a{suffix}") == 3
        levels = [int(read_picture(tmp_path / f"a{suffix}", page).pixels[0, 0, 0]) for page in range(3)]
        assert levels == [0, 100, 200]

    def test_deep_pages_too(self, tmp_path: Path) -> None:
        tifffile.imwrite(tmp_path / "a.tif", np.stack([DEEP, DEEP // 2]), photometric="rgb")
        assert page_count(tmp_path / "a.tif") == 2
        second = read_picture(tmp_path / "a.tif", 1).pixels
        torch.testing.assert_close(second[:, 0, 0], torch.from_numpy((DEEP[0, 0] // 2) / 65535).float())


class TestExif:
    @pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp"])
    def test_it_is_kept_without_the_orientation_that_was_applied(self, tmp_path: Path, suffix: str) -> None:
        exif = Image.Exif()
        exif[0x0112], exif[0x010F] = 6, "A camera"
        Image.fromarray(data.astronaut()[:8, :16]).save(tmp_path / "a.jpg", exif=exif)
        picture = read_picture(tmp_path / "a.jpg", keep_exif=True)
        pixels = picture.pixels.permute(1, 2, 0).numpy()
        write_pixels(tmp_path / f"b{suffix}", pixels, Encoding(), picture.exif)
        with Image.open(tmp_path / f"b{suffix}") as written:
            assert written.getexif().get(0x010F) == "A camera"
            assert written.getexif().get(0x0112, 1) == 1
            assert written.size == (8, 16)


class TestEncoding:
    def test_a_lower_quality_is_a_smaller_file(self, tmp_path: Path) -> None:
        image = torch.from_numpy(data.astronaut()[:64, :64].transpose(2, 0, 1)).float() / 255
        sizes = []
        for quality in (30, 95):
            write_image(tmp_path / "a.jpg", image, Encoding(quality))
            sizes.append((tmp_path / "a.jpg").stat().st_size)
        assert sizes[0] < 0.7 * sizes[1]

    @pytest.mark.parametrize(
        ("suffix", "bits", "alpha", "exif", "named"),
        [
            (".jpg", 16, False, False, "8 bits"),
            (".jpg", 8, True, False, "no opacity"),
            (".bmp", 8, False, True, "no EXIF"),
            (".png", 16, False, True, "without EXIF"),
            (".png", 12, False, False, "8 or 16"),
        ],
    )
    def test_what_a_format_does_not_hold(self, suffix: str, bits: int, alpha: bool, exif: bool, named: str) -> None:
        with pytest.raises(UserError, match=named):
            Encoding(bit_depth=bits).require(suffix, alpha, exif)


@pytest.mark.parametrize(("suffix", "format_"), [(".avif", "AVIF"), (".heic", "HEIF")])
def test_formats_of_phones(tmp_path: Path, suffix: str, format_: str) -> None:
    from pillow_heif import register_heif_opener

    register_heif_opener()
    pixels = data.astronaut()[:64, :64]
    encoded = io.BytesIO()
    Image.fromarray(pixels).save(encoded, format_, quality=95)
    (tmp_path / f"a{suffix}").write_bytes(encoded.getvalue())
    error = (read_image(tmp_path / f"a{suffix}").numpy() - pixels.transpose(2, 0, 1) / 255) ** 2
    # At quality 95 both leave over 36 dB on this photograph.
    assert -10 * np.log10(error.mean()) > 33
