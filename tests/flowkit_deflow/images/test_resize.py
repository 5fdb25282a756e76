from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file
from skimage import data
from torch import Tensor

from flowkit_deflow.images.resize import Window, bicubic_downsample, pad_to_multiple, reflect_pad

GOLDEN = load_file(Path(__file__).parents[2] / "data" / "golden" / "bicubic.safetensors")

sizes = st.integers(1, 23)
factors = st.integers(1, 6)


def golden(key: str) -> Tensor:
    return GOLDEN[key].permute(2, 0, 1)


def cubic(x: float) -> float:
    x = abs(x)
    if x <= 1:
        return 1.5 * x**3 - 2.5 * x**2 + 1
    return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x < 2 else 0.0


def shrinking_matrix(size: int, factor: int) -> Tensor:
    """The definition, entry by entry: outputs x inputs."""
    matrix = torch.zeros(-(-size // factor), size, dtype=torch.float64)
    for i in range(len(matrix)):
        centre = (i + 0.5) * factor
        for j in range(int(centre) - 2 * factor - 2, int(centre) + 2 * factor + 3):
            place = j % (2 * size)
            matrix[i, place if place < size else 2 * size - 1 - place] += cubic((j + 0.5 - centre) / factor)
    return matrix / matrix.sum(1, keepdim=True)


class TestBicubicDownsample:
    @pytest.mark.parametrize("name", ["noise", "smooth"])
    @pytest.mark.parametrize("factor", [2, 4, 8, 16])
    def test_matlab_values(self, name: str, factor: int) -> None:
        shrunk = bicubic_downsample(golden(f"{name}.image"), factor)
        # Up to 66 summands of order 1 in each direction, added up in another order.
        torch.testing.assert_close(shrunk, golden(f"{name}.down{factor}"), atol=1e-14, rtol=0)

    @pytest.mark.parametrize("name", ["noise", "smooth"])
    @pytest.mark.parametrize("factor", [2, 4, 8, 16])
    def test_matlab_values_of_8_bit_images(self, name: str, factor: int) -> None:
        # On 8-bit images imresize rounds after each direction. Where a direction has one pixel, nothing happens in
        # it: that takes the two directions apart.
        def shrink_rows(image: Tensor) -> Tensor:
            shrunk = bicubic_downsample(image.mT[..., None], factor)[..., 0].mT
            return shrunk.round().clamp(0, 255)

        image = golden(f"{name}.image_u8").double()
        expected = golden(f"{name}.down{factor}_u8").double()
        assert torch.equal(shrink_rows(shrink_rows(image).mT).mT, expected)

    @given(sizes, sizes, factors, st.integers(0, 2**31))
    def test_the_definition(self, height: int, width: int, factor: int, seed: int) -> None:
        image = torch.rand(height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
        expected = shrinking_matrix(height, factor) @ image @ shrinking_matrix(width, factor).mT
        # At most 48 summands of order 1 in each direction.
        torch.testing.assert_close(bicubic_downsample(image, factor), expected, atol=1e-13, rtol=0)

    @given(st.data(), sizes, sizes, factors)
    def test_a_window_is_a_crop_of_the_whole(self, draws: st.DataObject, height: int, width: int, factor: int) -> None:
        image = torch.rand(2, height, width, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
        whole = bicubic_downsample(image, factor)
        rows, columns = whole.shape[-2:]
        top, left = draws.draw(st.integers(0, rows - 1)), draws.draw(st.integers(0, columns - 1))
        window = Window(top, left, draws.draw(st.integers(1, rows - top)), draws.draw(st.integers(1, columns - left)))
        crop = whole[:, top : top + window.height, left : left + window.width]
        # The same sums in the same order, but vector instructions may fuse their last bits differently.
        torch.testing.assert_close(bicubic_downsample(image, factor, window), crop, atol=1e-14, rtol=0)

    def test_a_window_reads_only_what_it_covers(self) -> None:
        image = torch.full((256, 256), torch.nan)
        # Outputs 20 to 23 reach the inputs 80 - 6 to 96 + 6.
        image[74:102, 74:102] = 0.5
        assert bicubic_downsample(image, 4, Window(20, 20, 4, 4)).isfinite().all()

    def test_constants_stay(self) -> None:
        # The weights add up to 1: one rounding error per summand.
        image = torch.full((3, 30, 17), 0.3, dtype=torch.float64)
        torch.testing.assert_close(bicubic_downsample(image, 4), image[:, :8, :5], atol=1e-14, rtol=0)

    @given(sizes, sizes, factors)
    def test_flips_and_transposes_commute(self, height: int, width: int, factor: int) -> None:
        image = torch.rand(height * factor, width, generator=torch.Generator().manual_seed(0)).double()
        shrunk = bicubic_downsample(image, factor)
        # Only a height that the factor divides is mirrored onto itself; summands of order 1 change their order.
        torch.testing.assert_close(bicubic_downsample(image.flip(0), factor), shrunk.flip(0), atol=1e-13, rtol=0)
        torch.testing.assert_close(bicubic_downsample(image.mT, factor), shrunk.mT, atol=1e-13, rtol=0)

    def test_leading_dimensions(self) -> None:
        images = torch.rand(2, 5, 3, 12, 16)
        shrunk = bicubic_downsample(images, 4)
        assert shrunk.shape == (2, 5, 3, 3, 4)
        assert shrunk.is_contiguous()
        assert torch.equal(shrunk[1, 2], bicubic_downsample(images[1, 2], 4))
        assert bicubic_downsample(torch.zeros(0, 3, 8, 8), 4).shape == (0, 3, 2, 2)

    @pytest.mark.parametrize(
        ("dtype", "tolerance"), [(torch.float32, 1e-6), (torch.bfloat16, 2**-8), (torch.float16, 2**-11)]
    )
    def test_precision_of_a_photograph(self, dtype: torch.dtype, tolerance: float) -> None:
        photo = torch.from_numpy(data.astronaut()[:128, 150:278].copy()).permute(2, 0, 1).to(dtype) / 255
        shrunk = bicubic_downsample(photo, 4)
        assert shrunk.dtype == dtype
        # Half a unit in the last place of values up to 1 (the result's rounding; the sums are float32).
        torch.testing.assert_close(shrunk.double(), bicubic_downsample(photo.double(), 4), atol=tolerance, rtol=0)

    def test_autocast_does_not_lower_the_precision(self) -> None:
        image = torch.rand(3, 64, 64)
        with torch.autocast("cpu", torch.bfloat16):
            shrunk = bicubic_downsample(image, 4)
        assert torch.equal(shrunk, bicubic_downsample(image, 4))

    def test_factor_1_copies(self) -> None:
        image = torch.rand(3, 5, 6)
        copy = bicubic_downsample(image, 1, Window(1, 2, 3, 4))
        assert torch.equal(copy, image[:, 1:4, 2:6])
        copy.zero_()
        assert image[:, 1:4, 2:6].ne(0).any()

    @pytest.mark.parametrize(
        "window",
        [
            Window(-1, 0, 1, 1),
            Window(0, -1, 1, 1),
            Window(0, 0, 3, 1),
            Window(1, 0, 2, 1),
            Window(0, 0, 1, 4),
            Window(0, 0, 0, 1),
            Window(0, 0, 1, 0),
        ],
    )
    def test_windows_outside_are_refused(self, window: Window) -> None:
        with pytest.raises(ValueError, match="2 x 3"):
            bicubic_downsample(torch.zeros(8, 12), 4, window)

    def test_other_arguments_are_refused(self) -> None:
        with pytest.raises(ValueError, match="factor"):
            bicubic_downsample(torch.zeros(8, 8), 0)
        with pytest.raises(TypeError, match="uint8"):
            bicubic_downsample(torch.zeros(8, 8, dtype=torch.uint8), 2)
        with pytest.raises(ValueError, match=r"\(8, 0\)"):
            bicubic_downsample(torch.zeros(8, 0), 2)


class TestReflectPad:
    @given(sizes, sizes, st.tuples(*[st.integers(0, 60)] * 4))
    def test_the_definition(self, height: int, width: int, amounts: tuple[int, int, int, int]) -> None:
        def source(i: int, size: int) -> int:
            while size > 1 and not 0 <= i < size:
                i = -i if i < 0 else 2 * (size - 1) - i
            return i if size > 1 else 0

        top, bottom, left, right = amounts
        image = torch.arange(height * width).view(height, width)
        rows = torch.tensor([source(i, height) for i in range(-top, height + bottom)])
        columns = torch.tensor([source(i, width) for i in range(-left, width + right)])
        assert torch.equal(reflect_pad(image, top, bottom, left, right), image[rows][:, columns])

    def test_torch_where_torch_can(self) -> None:
        images = torch.rand(2, 3, 5, 7)
        expected = torch.nn.functional.pad(images, (6, 1, 2, 4), mode="reflect")
        assert torch.equal(reflect_pad(images, 2, 4, 6, 1), expected)

    def test_negative_amounts_and_empty_images_are_refused(self) -> None:
        with pytest.raises(ValueError, match="negative"):
            reflect_pad(torch.zeros(2, 2), 0, -1, 0, 0)
        with pytest.raises(ValueError, match=r"\(0, 2\)"):
            reflect_pad(torch.zeros(0, 2), 0, 1, 0, 0)


class TestPadToMultiple:
    @given(sizes, sizes, st.integers(1, 32))
    def test_the_smallest_multiple_that_holds_the_image(self, height: int, width: int, multiple: int) -> None:
        image = torch.rand(3, height, width)
        padded, size = pad_to_multiple(image, multiple)
        assert size == (height, width)
        for old, new in zip(size, padded.shape[-2:], strict=True):
            assert new % multiple == 0
            assert old <= new < old + multiple
        assert torch.equal(padded[..., :height, :width], image)
        assert torch.equal(padded, reflect_pad(image, 0, padded.shape[-2] - height, 0, padded.shape[-1] - width))

    def test_a_multiple_below_1_is_refused(self) -> None:
        with pytest.raises(ValueError, match="multiple"):
            pad_to_multiple(torch.zeros(2, 2), 0)
