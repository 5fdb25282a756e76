import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage, signal
from scipy.io import savemat

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.blur_kernels import apply_kernel, read_kernels

# Sums to 16, not symmetric: a transposed or mirrored reading shows.
KERNEL = np.array([[1.0, 2.0, 3.0], [4.0, 5.0, 1.0]])
NORMED = torch.tensor(KERNEL / 16, dtype=torch.float32)


class TestReadKernels:
    def test_every_format_in_the_order_of_the_names(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", KERNEL)
        np.savetxt(tmp_path / "b.txt", KERNEL)
        np.savetxt(tmp_path / "c.csv", KERNEL, delimiter=",")
        savemat(tmp_path / "d.mat", {"Kernel": KERNEL, "other": np.zeros(3)})
        Image.fromarray((KERNEL * 10).astype(np.uint8)).save(tmp_path / "e.png")
        Image.fromarray((KERNEL * 4000).astype(np.uint16)).save(tmp_path / "f.tif")
        Image.fromarray((KERNEL / 16).astype(np.float32)).save(tmp_path / "g.TIFF")
        np.save(tmp_path / "h.npy", KERNEL.T.astype(np.int64))
        kernels = read_kernels(tmp_path)
        assert len(kernels) == 8
        for kernel in kernels[:-1]:
            assert kernel.dtype == torch.float32
            # Images carry 8 to 24 bits, here without loss; float32 rounds at 6e-8.
            torch.testing.assert_close(kernel, NORMED, atol=1e-7, rtol=0)
        torch.testing.assert_close(kernels[-1], NORMED.mT, atol=1e-7, rtol=0)

    def test_other_files_are_passed_over(self, tmp_path: Path) -> None:
        np.save(tmp_path / "a.npy", KERNEL)
        (tmp_path / "README.md").write_text("kernels")
        (tmp_path / ".hidden.txt").write_text("no numbers")
        (tmp_path / "folder.npy").mkdir()
        assert len(read_kernels(tmp_path)) == 1

    def test_a_single_row_and_a_byte_order_mark(self, tmp_path: Path) -> None:
        (tmp_path / "a.csv").write_bytes("\N{BYTE ORDER MARK}1, 3\r\n".encode())
        assert read_kernels(tmp_path)[0].tolist() == [[0.25, 0.75]]

    @pytest.mark.parametrize(
        ("values", "reason"),
        [
            (-KERNEL, "sum is -16"),
            (np.zeros((2, 2)), "sum is 0"),
            (np.array([[1.0, np.nan]]), "not finite"),
            (np.array([[1.0, np.inf]]), "not finite"),
            (np.ones(3), r"shape is \(3,\)"),
            (np.ones((1, 3, 3)), r"shape is \(1, 3, 3\)"),
            (np.ones((0, 3)), r"shape is \(0, 3\)"),
            (np.ones((2, 2), dtype=np.complex128), "complex128"),
            (np.array([["a", "b"]]), "not real numbers"),
        ],
    )
    def test_bad_arrays(self, tmp_path: Path, values: np.ndarray, reason: str) -> None:
        np.save(tmp_path / "bad.npy", values)
        with pytest.raises(UserError, match=rf"bad\.npy'.*{reason}"):
            read_kernels(tmp_path)

    @pytest.mark.parametrize("suffix", [".npy", ".txt", ".csv", ".mat", ".png", ".tif"])
    @pytest.mark.parametrize("content", [b"", b"\n\n", b"1 2 x", b"1 2\n3", b"\xff\xfe\x00\x01" * 40])
    def test_bad_files(self, tmp_path: Path, suffix: str, content: bytes) -> None:
        (tmp_path / f"bad{suffix}").write_bytes(content)
        with pytest.raises(UserError, match=rf"bad\{suffix}'") as caught:
            read_kernels(tmp_path)
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize("suffix", [".npy", ".mat", ".png"])
    def test_damaged_files(self, tmp_path: Path, suffix: str) -> None:
        np.save(tmp_path / "good.npy", KERNEL)
        savemat(tmp_path / "good.mat", {"Kernel": KERNEL}, do_compression=True)
        Image.fromarray(KERNEL.astype(np.uint8)).save(tmp_path / "good.png")
        whole = (tmp_path / f"good{suffix}").read_bytes()
        folder = tmp_path / "cut"
        folder.mkdir()
        for kept in range(1, len(whole) - 20, 7):
            (folder / f"bad{suffix}").write_bytes(whole[:kept])
            with pytest.raises(UserError, match=rf"bad\{suffix}'"):
                read_kernels(folder)

    def test_pickled_objects_are_never_loaded(self, tmp_path: Path) -> None:
        np.save(tmp_path / "bad.npy", np.array([[{}, {}]]), allow_pickle=True)
        with pytest.raises(UserError, match=r"bad\.npy'"):
            read_kernels(tmp_path)

    def test_a_mat_file_without_the_variable(self, tmp_path: Path) -> None:
        savemat(tmp_path / "bad.mat", {"kernel": KERNEL})
        with pytest.raises(UserError, match=r"bad\.mat'.*no variable 'Kernel'"):
            read_kernels(tmp_path)

    def test_a_mat_file_without_scipy(self, tmp_path: Path) -> None:
        savemat(tmp_path / "a.mat", {"Kernel": KERNEL})
        # A fresh interpreter in which scipy cannot be imported, as if it were not installed.
        program = (
            "import sys; sys.modules['scipy'] = None\n"
            "from pathlib import Path\n"
            "from flowkit_deflow.errors import UserError\n"
            "from flowkit_deflow.images.blur_kernels import read_kernels\n"
            "try: read_kernels(Path(sys.argv[1]))\n"
            "except UserError as error: print(error)\n"
        )
        root = Path(__file__).parents[3]
        command = [sys.executable, "-c", program, str(tmp_path)]
        printed = subprocess.run(command, cwd=root, capture_output=True, text=True, check=True).stdout
        assert "install it (pip install scipy)" in printed
        assert "a.mat" in printed

    def test_a_colour_image(self, tmp_path: Path) -> None:
        Image.new("RGB", (3, 3), (255, 0, 0)).save(tmp_path / "bad.png")
        with pytest.raises(UserError, match=r"bad\.png'.*colour"):
            read_kernels(tmp_path)

    def test_no_kernels(self, tmp_path: Path) -> None:
        with pytest.raises(UserError, match="holds no blur kernels"):
            read_kernels(tmp_path)
        with pytest.raises(UserError, match="does not exist"):
            read_kernels(tmp_path / "none")


class TestApplyKernel:
    @given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 4), st.integers(0, 4), st.integers(0, 2**31))
    def test_scipy_with_odd_kernels(self, height: int, width: int, above: int, beside: int, seed: int) -> None:
        generator = np.random.default_rng(seed)
        image = generator.random((height, width))
        kernel = generator.random((2 * above + 1, 2 * beside + 1))
        expected = ndimage.convolve(image, kernel, mode="mirror")
        blurred = apply_kernel(torch.from_numpy(image), torch.from_numpy(kernel))
        # Sums of up to 81 numbers below 1 through an FFT in float64.
        torch.testing.assert_close(blurred, torch.from_numpy(expected), atol=1e-12, rtol=0)

    @pytest.mark.parametrize("shape", [(2, 2), (4, 3), (1, 6), (5, 5)])
    def test_scipy_inside_with_any_kernel(self, shape: tuple[int, int]) -> None:
        image, kernel = torch.rand(20, 30, dtype=torch.float64), torch.rand(shape, dtype=torch.float64)
        expected = torch.from_numpy(signal.convolve2d(image, kernel, mode="same"))
        inside = (slice(5, -5), slice(5, -5))
        # Sums of up to 25 numbers below 1 through an FFT in float64.
        torch.testing.assert_close(apply_kernel(image, kernel)[inside], expected[inside], atol=1e-12, rtol=0)

    def test_channels_are_independent(self) -> None:
        images, kernel = torch.rand(2, 3, 9, 8), torch.rand(5, 5)
        blurred = apply_kernel(images, kernel)
        assert blurred.shape == images.shape
        assert blurred.is_contiguous()
        # The FFT's float32 rounding of sums near 12.
        torch.testing.assert_close(blurred[1, 2], apply_kernel(images[1, 2], kernel), atol=1e-5, rtol=0)

    def test_a_point_draws_the_kernel(self) -> None:
        image = torch.zeros(7, 7)
        image[3, 3] = 1
        kernel = torch.arange(9.0).view(3, 3)
        # FFT rounding at values up to 8.
        torch.testing.assert_close(apply_kernel(image, kernel)[2:5, 2:5], kernel, atol=1e-5, rtol=0)

    @pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
    def test_the_images_decide_the_dtype(self, dtype: torch.dtype) -> None:
        blurred = apply_kernel(torch.ones(3, 6, 6, dtype=dtype), torch.full((3, 3), 1 / 9))
        assert blurred.dtype == dtype
        # One rounding step of the dtype below 1, and the float32 kernel's sum.
        torch.testing.assert_close(blurred, torch.ones_like(blurred), atol=max(torch.finfo(dtype).eps, 1e-6), rtol=0)

    def test_a_kernel_larger_than_the_image(self) -> None:
        # FFT rounding in float32.
        torch.testing.assert_close(
            apply_kernel(torch.ones(2, 1), torch.full((21, 21), 1 / 441)), torch.ones(2, 1), atol=1e-5, rtol=0
        )

    def test_other_arguments_are_refused(self) -> None:
        with pytest.raises(ValueError, match="kernel"):
            apply_kernel(torch.zeros(3, 4, 4), torch.zeros(1, 1, 3, 3))
        with pytest.raises(ValueError, match=r"\(3, 0, 4\)"):
            apply_kernel(torch.zeros(3, 0, 4), torch.ones(3, 3))
        with pytest.raises(TypeError, match="uint8"):
            apply_kernel(torch.zeros(3, 4, 4, dtype=torch.uint8), torch.ones(3, 3))
