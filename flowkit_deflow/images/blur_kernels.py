"""Blur kernels: read from files, applied to images."""

import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.files import require_folder
from flowkit_deflow.images.image_files import read_image
from flowkit_deflow.images.resize import reflect_pad

__all__ = ["apply_kernel", "read_kernels"]

_Array = np.ndarray[Any, Any]


def read_kernels(folder: Path) -> list[Tensor]:
    r"""All blur kernels in a folder, one per file.

    Read are `.npy`, `.txt` and `.csv` (rows of numbers parted by commas or blanks), `.mat` (the variable
    `Kernel`, as KernelGAN writes it; needs scipy), and grey images `.png`, `.tif`, `.tiff`. Other files, hidden
    files and folders are passed over. Every kernel is divided by its sum.

    Args:
        folder: The folder.

    Returns:
        The kernels in the order of their file names: float32 tensors kh x kw of sum 1, of any sizes.

    Raises:
        UserError: If the folder is missing or holds no kernel; or if a file cannot be read, or its content is not
            a two-dimensional array of finite numbers with a positive sum.

    Examples:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> _ = (folder / "box.csv").write_text("1,1\n1,1\n")
        >>> read_kernels(folder)[0].tolist()
        [[0.25, 0.25], [0.25, 0.25]]
    """
    require_folder(folder, "the folder of blur kernels")
    try:
        files = sorted(
            file
            for file in folder.iterdir()
            if file.suffix.lower() in _READERS and not file.name.startswith(".") and file.is_file()
        )
    except OSError as error:
        raise UserError(f"cannot list the folder '{folder}': {error.strerror}; check its permissions") from error
    if not files:
        raise UserError(
            f"the folder '{folder}' holds no blur kernels; expected files that end in {', '.join(_READERS)}"
        )
    return [_read_kernel(file) for file in files]


def apply_kernel(images: Tensor, kernel: Tensor) -> Tensor:
    r"""Convolve each channel of images with a kernel, keeping their size.

    .. math:: y[i, j] = \sum_{p, q} k[p, q]\, x[i + c_h - p,\, j + c_w - q],
        \qquad c_h = \lfloor (k_h - 1) / 2 \rfloor,\ c_w = \lfloor (k_w - 1) / 2 \rfloor,

    with :math:`x` continued by `reflect_pad`. Computed by FFT: the cost does not grow with the kernel, the
    rounding error is of the order of the dtype's precision times the largest value.

    Args:
        images: A floating-point tensor (..., H, W).
        kernel: A floating-point tensor kh x kw, of any size; taken to the images' device and precision.

    Returns:
        A tensor of the shape and dtype of `images`.

    Raises:
        ValueError: If `kernel` is not two-dimensional, or something is empty.
        TypeError: If something is not floating-point.

    Examples:
        >>> step = torch.tensor([[0.0, 0.0, 1.0, 1.0]])
        >>> apply_kernel(step, torch.tensor([[0.5, 0.5, 0.0]])).round(decimals=3).tolist()
        [[0.0, 0.5, 1.0, 1.0]]
    """
    if kernel.ndim != 2 or kernel.numel() == 0:
        raise ValueError(f"expected a kernel kh x kw, got the shape {tuple(kernel.shape)}")
    if not (images.is_floating_point() and kernel.is_floating_point()):
        raise TypeError(f"expected floating-point tensors, got images {images.dtype} and kernel {kernel.dtype}")
    height, width = kernel.shape
    # Half precision has no FFT on most devices, and too few digits for one.
    precision = torch.promote_types(images.dtype, torch.float32)
    padded = reflect_pad(images.to(precision), height // 2, (height - 1) // 2, width // 2, (width - 1) // 2)
    size = padded.shape[-2:]
    spectrum = torch.fft.rfft2(kernel.to(padded), s=size)
    convolved = torch.fft.irfft2(torch.fft.rfft2(padded) * spectrum, s=size)
    # What the circular convolution wraps around lies in the rows and columns that are cut off here.
    return convolved[..., height - 1 :, width - 1 :].to(images.dtype).contiguous()


def _read_kernel(file: Path) -> Tensor:
    try:
        values = _READERS[file.suffix.lower()](file)
        if values.dtype.kind not in "biuf":
            raise ValueError(f"it holds {values.dtype} values, not real numbers")
        if values.ndim != 2 or values.size == 0:
            raise ValueError(f"its shape is {values.shape}, not that of a matrix")
        kernel = values.astype(np.float64)
        if not np.isfinite(kernel).all():
            raise ValueError("it holds values that are not finite")
        total = float(kernel.sum())
        if not 0 < total < np.inf:
            raise ValueError(f"its sum is {total:g}, not a positive number")
    except OSError as error:
        raise UserError(f"cannot read the blur kernel '{file}': {error.strerror or error}; check the file") from error
    except (ValueError, EOFError, MemoryError) as error:
        reason = " ".join(str(error).split())
        raise UserError(f"cannot read the blur kernel '{file}': {reason}; correct the file, or remove it") from error
    return torch.from_numpy((kernel / total).astype(np.float32))


def _read_npy(file: Path) -> _Array:
    with file.open("rb") as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


def _read_text(file: Path) -> _Array:
    lines = file.read_text(encoding="utf-8-sig").replace(",", " ").splitlines()
    if not any(line.strip() for line in lines):
        raise ValueError("it is empty")
    return np.loadtxt(lines, ndmin=2)


def _read_mat(file: Path) -> _Array:
    try:
        from scipy.io import loadmat
        from scipy.io.matlab import MatReadError
    except ImportError as error:
        raise UserError(
            f"cannot read the blur kernel '{file}': .mat files need scipy; install it (pip install scipy), "
            "or save the kernel as .npy"
        ) from error
    try:
        contents = loadmat(file, variable_names=["Kernel"])
    except NotImplementedError as error:
        raise ValueError("MATLAB 7.3 files are not supported, save it with '-v7'") from error
    except (MatReadError, TypeError, LookupError, zlib.error) as error:
        raise ValueError(f"it is not a sound MATLAB file ({error})") from error
    if "Kernel" not in contents:
        raise ValueError("it has no variable 'Kernel'")
    return np.asarray(contents["Kernel"])


def _read_grey_image(file: Path) -> _Array:
    image = read_image(file)
    if not torch.equal(image, image[:1].expand_as(image)):
        raise ValueError("it is a colour image, not a grey one")
    return image[0].numpy()


_READERS: dict[str, Callable[[Path], _Array]] = {
    ".npy": _read_npy,
    ".txt": _read_text,
    ".csv": _read_text,
    ".mat": _read_mat,
    ".png": _read_grey_image,
    ".tif": _read_grey_image,
    ".tiff": _read_grey_image,
}
