"""Degradations of known strength, for clean photographs."""

import io
import math
from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from flowkit_deflow.app.demo_data import camera
from flowkit_deflow.images.image_files import to_uint8

__all__ = ["HELD_OUT", "KINDS", "Kind"]

Kind = Callable[[Tensor, torch.Generator], Tensor]


def _white(std: float) -> Kind:
    """Independent noise, as strong in grey levels."""
    return lambda image, generator: _rounded(image + std / 255 * _normal(image, generator))


def _correlated(std: float, width: float) -> Kind:
    """Noise blurred by a Gaussian of some pixels, as strong in grey levels."""
    return lambda image, generator: _rounded(image + std / 255 * _blurred(_normal(image, generator), width))


def _shot(floor: float, gain: float) -> Kind:
    """Independent noise whose variance is linear in brightness."""
    return lambda image, generator: _rounded(image + (floor**2 + gain**2 * image).sqrt() * _normal(image, generator))


def _demo(image: Tensor, generator: torch.Generator) -> Tensor:
    """The demo's camera: correlated noise that grows with brightness, then JPEG."""
    return camera(image, int(torch.randint(10**6, (), generator=generator)), "benchmark")


def _compressed(quality: int) -> Kind:
    """JPEG alone."""
    return lambda image, generator: _jpeg(image, quality)


def _mosaic(image: Tensor, generator: torch.Generator) -> Tensor:
    """Shot noise in a Bayer mosaic, demosaicked bilinearly, brought to another colour space, and JPEG with 4:2:0."""
    shot = (0.008**2 + 0.05**2 * image).sqrt() * _normal(image, generator)
    seen = torch.zeros_like(image)
    seen[0, ::2, ::2] = seen[1, ::2, 1::2] = seen[1, 1::2, ::2] = seen[2, 1::2, 1::2] = 1
    kernel = torch.outer(*[torch.tensor([1.0, 2.0, 1.0])] * 2)[None, None]
    sums, weights = (
        F.conv2d(F.pad(part[:, None], (1, 1, 1, 1), mode="reflect"), kernel)[:, 0] for part in (shot * seen, seen)
    )
    colours = torch.tensor([[1.6, -0.4, -0.2], [-0.3, 1.5, -0.2], [0.0, -0.5, 1.5]])
    return _jpeg(image + torch.einsum("ij,jhw->ihw", colours, sums / weights), 92, subsampling=2)


def _mixed(image: Tensor, generator: torch.Generator) -> Tensor:
    """Fine noise, and coarse grey noise as denoising in a camera leaves it; then JPEG."""
    fine = _normal(image, generator)
    coarse = _blurred(torch.randn(1, *image.shape[1:], generator=generator), 2.5)
    return _jpeg(image + (4 * fine + 5 * coarse) / 255, 95)


KINDS: Mapping[str, Kind] = {
    "white": _white(10),
    "correlated 0.7": _correlated(10, 0.7),
    "correlated 1.5": _correlated(8, 1.5),
    "correlated 3": _correlated(7, 3.0),
    "signal-dependent": _shot(0.01, 0.08),
    "demo's camera": _demo,
    "JPEG 30": _compressed(30),
    "JPEG 60": _compressed(60),
    "mosaic": _mosaic,
    "coarse and fine": _mixed,
}
HELD_OUT = ("mosaic", "coarse and fine")
"""The kinds that the rule was not looked at with before it was settled."""


def _normal(image: Tensor, generator: torch.Generator) -> Tensor:
    return torch.randn(image.shape, generator=generator)


def _blurred(white: Tensor, width: float) -> Tensor:
    """White noise blurred by a Gaussian of ``width`` pixels, its variance kept."""
    reach = math.ceil(4 * width)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / width) ** 2)
    kernel /= kernel.norm()
    padded = F.pad(white[:, None], (reach,) * 4, mode="reflect")
    return F.conv2d(F.conv2d(padded, kernel.view(1, 1, -1, 1)), kernel.view(1, 1, 1, -1))[:, 0]


def _rounded(image: Tensor) -> Tensor:
    return to_uint8(image.clamp(0, 1)).float() / 255


def _jpeg(image: Tensor, quality: int, subsampling: int = 0) -> Tensor:
    file = io.BytesIO()
    pixels = to_uint8(image.clamp(0, 1)).permute(1, 2, 0).numpy()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
    with Image.open(file) as compressed:
        return torch.from_numpy(np.array(compressed)).permute(2, 0, 1).float() / 255
