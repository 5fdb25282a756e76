import resource
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageOps
from skimage import data
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import (
    IMAGE_SUFFIXES,
    ImageError,
    image_size,
    list_images,
    read_image,
    survey,
    to_uint8,
    write_image,
)
from flowkit_deflow.images.image_listing import DANGLING

LOSSLESS = [".png", ".bmp", ".tif", ".tiff", ".ppm"]
LOSSY = [".jpg", ".jpeg", ".webp"]


def bytes_of(image: Tensor) -> np.ndarray[Any, Any]:
    """The 8-bit values, H x W x 3, by numpy's own rounding: the values tested are never halfway."""
    return np.rint(image.numpy().astype(np.float64) * 255).astype(np.uint8).transpose(1, 2, 0)


def photograph() -> Tensor:
    return torch.from_numpy(data.astronaut()[100:148, 180:244].copy()).permute(2, 0, 1).float() / 255


@pytest.fixture
def colours() -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)


class TestReadImage:
    def test_rgb_values_are_divided_by_255(self, tmp_path: Path, colours: np.ndarray[Any, Any]) -> None:
        Image.fromarray(colours).save(tmp_path / "a.png")
        image = read_image(tmp_path / "a.png")
        assert image.dtype == torch.float32
        assert image.is_contiguous()
        expected = (colours.astype(np.float32) / np.float32(255)).transpose(2, 0, 1)
        np.testing.assert_array_equal(image.numpy(), expected)

    @pytest.mark.parametrize("suffix", [".png", ".jpg", ".tif", ".webp"])
    @pytest.mark.parametrize("orientation", range(1, 9))
    def test_the_image_is_upright(self, tmp_path: Path, suffix: str, orientation: int) -> None:
        exif = Image.Exif()
        exif[0x0112] = orientation
        path = tmp_path / f"a{suffix}"
        pixels = Image.fromarray(data.astronaut()[:40, :72])
        pixels.save(path, exif=exif)
        with Image.open(path) as stored:
            upright = np.array(ImageOps.exif_transpose(stored))
        assert upright.shape[:2] == ((40, 72) if orientation < 5 else (72, 40))
        assert image_size(path) == upright.shape[:2]
        np.testing.assert_array_equal(bytes_of(read_image(path)), upright)

    def test_orientation_6_by_hand(self, tmp_path: Path, colours: np.ndarray[Any, Any]) -> None:
        # The stored first row is the upright image's right-hand column (EXIF 2.3).
        exif = Image.Exif()
        exif[0x0112] = 6
        Image.fromarray(colours).save(tmp_path / "a.png", exif=exif)
        np.testing.assert_array_equal(bytes_of(read_image(tmp_path / "a.png"))[:, -1], colours[0])

    def test_8_bit_grey(self, tmp_path: Path, colours: np.ndarray[Any, Any]) -> None:
        Image.fromarray(colours[..., 0]).save(tmp_path / "a.pgm")
        image = bytes_of(read_image(tmp_path / "a.pgm"))
        np.testing.assert_array_equal(image, np.repeat(colours[..., :1], 3, axis=2))

    def test_1_bit(self, tmp_path: Path, colours: np.ndarray[Any, Any]) -> None:
        bits = colours[..., 0] > 127
        Image.fromarray(bits).save(tmp_path / "a.png")
        np.testing.assert_array_equal(read_image(tmp_path / "a.png")[1].numpy(), bits.astype(np.float32))

    def test_palette(self, tmp_path: Path, colours: np.ndarray[Any, Any]) -> None:
        image = Image.fromarray(colours).quantize(8)
        image.save(tmp_path / "a.png")
        np.testing.assert_array_equal(bytes_of(read_image(tmp_path / "a.png")), np.array(image.convert("RGB")))

    def test_cmyk(self, tmp_path: Path) -> None:
        image = Image.new("CMYK", (3, 2), (0, 255, 255, 0))
        image.save(tmp_path / "a.tif")
        np.testing.assert_array_equal(bytes_of(read_image(tmp_path / "a.tif"))[0, 0], [255, 0, 0])

    @pytest.mark.parametrize("mode", ["RGBA", "LA"])
    def test_transparency_is_laid_on_white(self, tmp_path: Path, mode: str) -> None:
        colour = (51, 51, 51, 102) if mode == "RGBA" else (51, 102)
        Image.new(mode, (3, 2), colour).save(tmp_path / "a.png")
        # 0.2 at an opacity of 0.4 over 1: 0.2 * 0.4 + 0.6; float32 carries 7 digits.
        torch.testing.assert_close(read_image(tmp_path / "a.png"), torch.full((3, 2, 3), 0.68), atol=1e-6, rtol=0)

    def test_a_transparent_palette_colour_is_white(self, tmp_path: Path) -> None:
        image = Image.new("P", (2, 1), 0)
        image.putpalette([255, 0, 0, 0, 0, 255])
        image.putpixel((1, 0), 1)
        image.save(tmp_path / "a.png", transparency=0)
        np.testing.assert_array_equal(bytes_of(read_image(tmp_path / "a.png"))[0], [[255, 255, 255], [0, 0, 255]])

    @pytest.mark.parametrize("suffix", [".png", ".tif"])
    def test_16_bit_grey_keeps_its_precision(self, tmp_path: Path, suffix: str) -> None:
        values = np.array([[0, 1, 255, 256], [30000, 30001, 65534, 65535]], dtype=np.uint16)
        Image.fromarray(values).save(tmp_path / f"a{suffix}")
        image = read_image(tmp_path / f"a{suffix}")
        expected = (values / 65535).astype(np.float32)
        np.testing.assert_array_equal(image.numpy(), np.stack([expected] * 3))

    def test_32_bit_integer_grey(self, tmp_path: Path) -> None:
        Image.fromarray(np.array([[0, 65535]], dtype=np.int32)).save(tmp_path / "a.tif")
        assert read_image(tmp_path / "a.tif")[0].tolist() == [[0.0, 1.0]]

    def test_float_grey(self, tmp_path: Path) -> None:
        values = np.array([[0.0, 0.123456789], [0.75, 1.0]], dtype=np.float32)
        Image.fromarray(values).save(tmp_path / "a.tif")
        np.testing.assert_array_equal(read_image(tmp_path / "a.tif").numpy(), np.stack([values] * 3))

    @pytest.mark.parametrize("value", [1.5, -0.5, float("nan")])
    def test_float_grey_outside_its_range_is_refused(self, tmp_path: Path, value: float) -> None:
        Image.fromarray(np.array([[0.5, value]], dtype=np.float32)).save(tmp_path / "a.tif")
        with pytest.raises(ImageError, match=r"a\.tif.*outside \[0, 1\]"):
            read_image(tmp_path / "a.tif")

    def test_the_content_decides_the_format(self, tmp_path: Path, colours: np.ndarray[Any, Any]) -> None:
        Image.fromarray(colours).save(tmp_path / "a.jpg", format="PNG")
        np.testing.assert_array_equal(bytes_of(read_image(tmp_path / "a.jpg")), colours)


class TestBadFiles:
    def refused(self, path: Path) -> str:
        with warnings.catch_warnings():
            # Pillow warns of damage before it gives up.
            warnings.simplefilter("ignore")
            with pytest.raises(ImageError) as caught:
                read_image(path)
        message = str(caught.value)
        assert "\n" not in message
        assert f"'{path}'" in message
        assert ";" in message
        return message

    def test_missing(self, tmp_path: Path) -> None:
        assert "no such file" in self.refused(tmp_path / "none.png")

    def test_empty(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").touch()
        assert "is empty" in self.refused(tmp_path / "a.png")

    def test_a_folder(self, tmp_path: Path) -> None:
        assert "directory" in self.refused(tmp_path)

    def test_no_image(self, tmp_path: Path) -> None:
        (tmp_path / "a.png").write_text("<html>404</html>")
        assert "not an image in a known format" in self.refused(tmp_path / "a.png")

    def test_a_format_that_is_not_read(self, tmp_path: Path, colours: np.ndarray[Any, Any]) -> None:
        Image.fromarray(colours).save(tmp_path / "a.png", format="GIF")
        assert "not an image in a known format" in self.refused(tmp_path / "a.png")

    @pytest.mark.parametrize("suffix", [*LOSSLESS, *LOSSY])
    @pytest.mark.parametrize("kept", [0.1, 0.5, 0.9])
    def test_truncated(self, tmp_path: Path, suffix: str, kept: float) -> None:
        path = tmp_path / f"a{suffix}"
        write_image(path, photograph())
        whole = path.read_bytes()
        path.write_bytes(whole[: int(len(whole) * kept)])
        self.refused(path)

    def test_a_decompression_bomb(self, tmp_path: Path) -> None:
        # A bitmap's header that promises 400 megapixels: Pillow refuses before it looks for them.
        write_image(tmp_path / "a.bmp", photograph())
        content = bytearray((tmp_path / "a.bmp").read_bytes())
        content[18:26] = (20000).to_bytes(4, "little") * 2
        (tmp_path / "a.png").write_bytes(content)
        assert "cut it into smaller images" in self.refused(tmp_path / "a.png")

    def test_damage_gives_an_image_or_an_image_error(self, tmp_path: Path) -> None:
        generator = np.random.default_rng(0)
        path = tmp_path / "damaged"
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for suffix in [".png", ".jpg", ".webp", ".bmp", ".tif", ".ppm"]:
                write_image(tmp_path / f"a{suffix}", photograph()[:, :16, :16])
                whole = np.frombuffer((tmp_path / f"a{suffix}").read_bytes(), dtype=np.uint8)
                for _ in range(30):
                    damaged = whole.copy()
                    # Headers are where decoders go wrong.
                    places = generator.integers(0, min(len(damaged), 200), 3)
                    damaged[places] = generator.integers(0, 256, 3)
                    path.write_bytes(damaged.tobytes())
                    try:
                        image = read_image(path)
                    except ImageError:
                        continue
                    assert image.shape[0] == 3


class TestToUint8:
    def test_every_level_comes_back(self) -> None:
        levels = torch.arange(256, dtype=torch.uint8)
        assert torch.equal(to_uint8(levels.float() / 255), levels)

    def test_halves_are_rounded_up_and_the_outside_is_clipped(self) -> None:
        # In float64, (n + 1/2) / 255 * 255 is exact for these n.
        values = torch.tensor([0.5, 1.5, 2.5, -3.0, 300.0], dtype=torch.float64) / 255
        assert to_uint8(values).tolist() == [1, 2, 3, 0, 255]
        assert to_uint8(torch.tensor([-torch.inf, torch.inf])).tolist() == [0, 255]

    @given(st.floats(0, 1, width=32))
    def test_the_error_is_at_most_half_a_level(self, value: float) -> None:
        level = to_uint8(torch.tensor(value, dtype=torch.float32)).item()
        # float32 places a halfway value up to 255 * 2^-24 off.
        assert abs(level - value * 255) <= 0.5 + 255 * 2**-24

    def test_half_precision_is_rounded_as_finely_as_it_can_be(self) -> None:
        values = torch.linspace(0, 1, 256).bfloat16()
        assert torch.equal(to_uint8(values), to_uint8(values.float()))

    def test_nan_and_integers_are_refused(self) -> None:
        with pytest.raises(ValueError, match="NaN"):
            to_uint8(torch.tensor([0.0, torch.nan]))
        with pytest.raises(TypeError, match="uint8"):
            to_uint8(torch.zeros(3, dtype=torch.uint8))


class TestWriteImage:
    @pytest.mark.parametrize("suffix", [*LOSSLESS, ".PNG"])
    def test_lossless_formats_keep_every_value(self, tmp_path: Path, suffix: str) -> None:
        image = photograph()
        write_image(tmp_path / "new" / f"a{suffix}", image)
        assert torch.equal(read_image(tmp_path / "new" / f"a{suffix}"), image)

    @pytest.mark.parametrize("suffix", LOSSY)
    def test_lossy_formats_stay_close(self, tmp_path: Path, suffix: str) -> None:
        image = photograph()
        write_image(tmp_path / f"a{suffix}", image)
        error = (read_image(tmp_path / f"a{suffix}") - image).square().mean()
        # Quality 95 leaves about 40 dB on photographs; at the encoders' default of 75 to 80 it is below 34 dB.
        assert -10 * error.log10() > 36

    def test_jpeg_keeps_the_resolution_of_colour(self, tmp_path: Path) -> None:
        write_image(tmp_path / "a.jpg", photograph())
        with Image.open(tmp_path / "a.jpg") as stored:
            factors = [component[1:3] for component in stored.layer]  # type: ignore[attr-defined]
        assert factors == [(1, 1)] * 3

    def test_gradients_and_strides_do_not_matter(self, tmp_path: Path) -> None:
        image = photograph()
        write_image(tmp_path / "a.png", image.mT.contiguous().mT.requires_grad_())
        assert torch.equal(read_image(tmp_path / "a.png"), image)

    @pytest.mark.parametrize("name", ["a.gif", "a", "a.pgm"])
    def test_an_unknown_suffix_names_the_known_ones(self, tmp_path: Path, name: str) -> None:
        with pytest.raises(UserError, match=r"\.png, \.jpg") as caught:
            write_image(tmp_path / name, photograph())
        assert str(tmp_path / name) in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("suffix", [".webp", ".jpg"])
    def test_an_image_too_wide_for_the_format(self, tmp_path: Path, suffix: str) -> None:
        with pytest.raises(UserError, match="does not take this image of 70000 x 1 pixels"):
            write_image(tmp_path / f"a{suffix}", torch.zeros(3, 1, 70000))
        assert list(tmp_path.iterdir()) == []

    @pytest.mark.parametrize("suffix", [*LOSSLESS, *LOSSY])
    def test_a_disk_that_takes_no_more_keeps_the_old_file(self, tmp_path: Path, suffix: str) -> None:
        path = tmp_path / f"a{suffix}"
        write_image(path, torch.zeros(3, 1, 1))
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (500, hard))
        try:
            with pytest.raises(UserError) as caught:
                write_image(path, photograph())
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert f"'{path}'" in str(caught.value)
        assert read_image(path).shape == (3, 1, 1)
        assert list(tmp_path.iterdir()) == [path]

    @pytest.mark.parametrize("shape", [(1, 4, 4), (4, 4), (1, 3, 4, 4), (3, 0, 4)])
    def test_other_shapes_are_refused(self, tmp_path: Path, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match="3 x H x W"):
            write_image(tmp_path / "a.png", torch.zeros(shape))


class TestListImages:
    def make(self, folder: Path, *names: str) -> None:
        for name in names:
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).touch()

    def names(self, folder: Path) -> list[str]:
        return [file.relative_to(folder).as_posix() for file in list_images(folder)]

    def test_every_suffix_in_any_case(self, tmp_path: Path) -> None:
        names = [f"a{i:02}{suffix}" for i, suffix in enumerate(IMAGE_SUFFIXES)]
        self.make(tmp_path, *names, "b.PnG", "notes.txt", "png", "a.png.bak")
        assert self.names(tmp_path) == [*names, "b.PnG"]

    def test_sorted_by_the_whole_relative_path(self, tmp_path: Path) -> None:
        self.make(tmp_path, "b/1.png", "b.png", "a/z.png", "a-b/1.png", "B.png")
        # '-' < '.' < '/' in ASCII, capitals first.
        assert self.names(tmp_path) == ["B.png", "a-b/1.png", "a/z.png", "b.png", "b/1.png"]

    def test_hidden_files_and_folders_are_passed_over(self, tmp_path: Path) -> None:
        self.make(tmp_path, ".a.png", "._b.png", ".thumbs/c.png", "d/.e/f.png", "d/g.png")
        assert self.names(tmp_path) == ["d/g.png"]

    def test_a_hidden_place_above_does_not_matter(self, tmp_path: Path) -> None:
        self.make(tmp_path / ".cache", "a.png")
        assert self.names(tmp_path / ".cache") == ["a.png"]

    def test_a_folder_named_like_an_image_is_entered(self, tmp_path: Path) -> None:
        self.make(tmp_path, "set.png/a.png")
        assert self.names(tmp_path) == ["set.png/a.png"]

    def test_links_are_followed_but_not_in_circles(self, tmp_path: Path) -> None:
        self.make(tmp_path / "elsewhere", "a.png")
        self.make(tmp_path / "set", "b.png")
        (tmp_path / "set" / "linked").symlink_to(tmp_path / "elsewhere")
        (tmp_path / "set" / "again").symlink_to(tmp_path / "set")
        (tmp_path / "set" / "broken.png").symlink_to(tmp_path / "none.png")
        assert self.names(tmp_path / "set") == ["b.png", "linked/a.png"]

    def test_links_that_lead_nowhere_are_counted(self, tmp_path: Path) -> None:
        self.make(tmp_path, "b.png")
        for name in ("a.png", "more.JPG", "notes.txt"):
            (tmp_path / name).symlink_to(tmp_path / "none")
        assert survey(tmp_path).others == {DANGLING: 2, ".txt": 1}
        (tmp_path / "b.png").unlink()
        with pytest.raises(UserError, match=r"there are: 1 \.txt, 2 linked \(the links lead nowhere"):
            survey(tmp_path)

    def test_manifests_belong_to_the_results(self, tmp_path: Path) -> None:
        self.make(tmp_path, "a.png", "manifest.jsonl", "manifest.2-of-3.jsonl", "a.png.manifest.jsonl", "other.jsonl")
        assert survey(tmp_path).others == {".jsonl": 1}

    def test_a_single_file(self, tmp_path: Path) -> None:
        self.make(tmp_path, "a.PNG", "notes.txt")
        assert list_images(tmp_path / "a.PNG") == [tmp_path / "a.PNG"]
        with pytest.raises(UserError, match=r"notes\.txt' is not an image"):
            list_images(tmp_path / "notes.txt")

    def test_nothing_to_list(self, tmp_path: Path) -> None:
        self.make(tmp_path, "notes.txt")
        with pytest.raises(UserError, match=r"holds no images; expected files that end in \.png"):
            list_images(tmp_path)
        with pytest.raises(UserError, match="does not exist"):
            list_images(tmp_path / "none")
