"""The demo's photographs, and the degradation that its model is never told."""

import io
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import to_uint8, write_image
from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.images.resize import bicubic_downsample

__all__ = ["HELD_OUT", "TRAINED_ON", "camera", "photograph", "write_photographs"]

# Photographs that ship inside scikit-image. To train on, they are cut into squares like a chessboard: the white ones
# stay clean, the black ones are degraded. No pixel stands in both domains, and nothing but the degradation tells them
# apart: with whole photographs, this few of them, a network would know the domain by the motif.
TRAINED_ON = ("astronaut", "rocket", "stereo_motorcycle", "immunohistochemistry", "camera", "retina")
HELD_OUT = ("chelsea", "coffee")
SQUARE = 96  # pixels
LARGEST = 800  # a larger photograph is halved: it would outweigh the others

NOISE_FLOOR = 0.005  # standard deviation of the noise in black (values in [0, 1])
NOISE_GAIN = 0.08  # and what is added to it in white
BLUR = (0.25, 0.5, 0.25)  # the sensor's correlation, along rows and columns
JPEG_QUALITY = 90


def photograph(name: str) -> Tensor:
    """One of scikit-image's photographs, ``3 x H x W`` in [0, 1].

    Raises:
        UserError: scikit-image is not installed.
    """
    try:
        import skimage.data
    except ImportError:
        raise UserError("the demo needs scikit-image: pip install 'flowkit-deflow[demo]'") from None
    pixels = getattr(skimage.data, name)()
    # The stereo pair comes with its disparity: its first picture is the photograph.
    pixels = pixels[0] if isinstance(pixels, tuple) else pixels
    pixels = np.stack([pixels] * 3, -1) if pixels.ndim == 2 else pixels[..., :3]
    image = torch.from_numpy(np.ascontiguousarray(pixels)).permute(2, 0, 1).float() / 255
    return bicubic_downsample(image, 2).clamp(0, 1) if max(image.shape) > LARGEST else image


def camera(image: Tensor, seed: int, key: str) -> Tensor:
    """What a bad camera makes of a photograph: noise that grows with brightness and is correlated, then JPEG.

    Args:
        image: ``3 x H x W`` in [0, 1].
        seed: of the noise.
        key: what the noise depends on besides, such as the photograph's name.

    Returns:
        The degraded image, of the same shape, in [0, 1].

    Examples:
        >>> grey = torch.full((3, 32, 32), 0.5)
        >>> bool(0.03 < (camera(grey, 0, "grey") - grey).std() < 0.06)
        True
    """
    white = torch.randn(image.shape, generator=seeded_generator(seed, "camera", key))
    kernel = torch.tensor(BLUR)
    # Divided by its norm, the filter keeps the noise's variance.
    kernel2d = torch.outer(kernel, kernel) / kernel.square().sum()
    noise = F.conv2d(F.pad(white[:, None], (1, 1, 1, 1), mode="reflect"), kernel2d[None, None])[:, 0]
    noisy = image + noise * (NOISE_FLOOR + NOISE_GAIN * image.mean(0))
    pixels = to_uint8(noisy.clamp(0, 1)).permute(1, 2, 0).numpy()
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=JPEG_QUALITY, subsampling=0)
    with Image.open(file) as compressed:
        return torch.from_numpy(np.array(compressed)).permute(2, 0, 1).float() / 255


def write_photographs(folder: Path, seed: int) -> None:
    """Write the demo's data: ``clean/`` and ``degraded/`` to train on, ``held_out/{clean,degraded}/`` to judge by.

    Args:
        folder: where.
        seed: of the camera's noise.
    """
    for name in TRAINED_ON:
        image = photograph(name)
        degraded = camera(image, seed, name)
        for row in range(image.shape[1] // SQUARE):
            for column in range(image.shape[2] // SQUARE):
                top, left = row * SQUARE, column * SQUARE
                domain, pixels = ("clean", image) if (row + column) % 2 == 0 else ("degraded", degraded)
                square = pixels[:, top : top + SQUARE, left : left + SQUARE]
                write_image(folder / domain / f"{name}_{row}_{column}.png", square)
    for name in HELD_OUT:
        image = photograph(name)
        write_image(folder / "held_out" / "clean" / f"{name}.png", image)
        write_image(folder / "held_out" / "degraded" / f"{name}.png", camera(image, seed, f"{name} held out"))
