"""The degradation pipelines of two papers."""

import math

from flowkit_deflow.degraders.handwritten.blur import GaussianBlur, PlateauBlur, SincFilter
from flowkit_deflow.degraders.handwritten.combining import InOrder, OneOf, Shuffled, Sometimes
from flowkit_deflow.degraders.handwritten.jpeg import Jpeg
from flowkit_deflow.degraders.handwritten.noise import CorrelatedNoise, GaussianNoise, PoissonNoise
from flowkit_deflow.degraders.handwritten.operation import Operation, Range
from flowkit_deflow.degraders.handwritten.resizing import RandomResize, ToSize

__all__ = ["PIPELINES"]

# The papers give strengths of noise in levels of 255.
LEVELS = 255


def _real_esrgan() -> Operation:
    """The second-order pipeline of Real-ESRGAN, with the constants of its authors' options for x4plus.

    X. Wang, L. Xie, C. Dong, Y. Shan, "Real-ESRGAN: Training real-world blind super-resolution with pure synthetic
    data", ICCV workshops 2021, sec. 3. Their sharpening of the clean images comes before it, and changes both images of
    a pair: ``UnsharpMask``, given to ``PairedDegradations`` as ``sharpen``.
    """
    first = _blur(std=(0.2, 3.0))
    second = Sometimes(_blur(std=(0.2, 1.5)), 0.8)
    # Either resize and ring, then compress, or the other way round; ringing comes in 0.8 of all cases.
    finish = InOrder((ToSize(), Sometimes(SincFilter((math.pi / 3, math.pi)), 0.8)))
    compress = Jpeg((30, 95))
    return InOrder(
        (
            first,
            RandomResize((0.15, 1.5), grow=0.2, shrink=0.7, keep=0.1),
            _noise(std=30, poisson=(0.05, 3.0)),
            compress,
            second,
            RandomResize((0.3, 1.2), grow=0.3, shrink=0.4, keep=0.3, of_result=True),
            _noise(std=25, poisson=(0.05, 2.5)),
            OneOf((InOrder((finish, compress)), InOrder((compress, finish))), (0.5, 0.5)),
        )
    )


def _blur(std: Range) -> Operation:
    """Real-ESRGAN's kernels.

    A tenth are sinc filters; the exponents of the others lie in [0.5, 4] (generalised Gaussian) and [1, 2] (plateau).
    """
    generalized, plateau = (0.5, 4.0), (1.0, 2.0)
    smooth = OneOf(
        (
            GaussianBlur(std, isotropic=True),
            GaussianBlur(std, isotropic=False),
            GaussianBlur(std, isotropic=True, shape=generalized),
            GaussianBlur(std, isotropic=False, shape=generalized),
            PlateauBlur(std, plateau, isotropic=True),
            PlateauBlur(std, plateau, isotropic=False),
        ),
        (0.45, 0.25, 0.12, 0.03, 0.12, 0.03),
    )
    ringing = SincFilter((math.pi / 5, math.pi), small_cutoff=(math.pi / 3, math.pi))
    return OneOf((ringing, smooth), (0.1, 0.9))


def _noise(std: float, poisson: Range) -> Operation:
    """Real-ESRGAN's noise: Gaussian or Poisson as often, grey in 0.4 of all cases."""
    return OneOf((GaussianNoise((1 / LEVELS, std / LEVELS), grey=0.4), PoissonNoise(poisson, grey=0.4)), (0.5, 0.5))


def _bsrgan() -> Operation:
    """The shuffled pipeline of BSRGAN, with its constants for scale 4.

    K. Zhang, J. Liang, L. Van Gool, R. Timofte, "Designing a practical degradation model for deep blind image
    super-resolution", ICCV 2021, sec. 3. Two blurs, a downsampling, Gaussian noise and JPEG in an order that is drawn,
    and JPEG at the end. Their noise of a camera's sensor behind its processing (a quarter of all cases) needs a
    model of that processing and of its inverse, and is left out.
    """
    # What is called the length of an anisotropic kernel's axes, from 0.5 to 8, is a variance in the authors' code.
    blur = OneOf(
        (GaussianBlur((0.1, 2.8), isotropic=True), GaussianBlur((math.sqrt(0.5), math.sqrt(8)), isotropic=False)),
        (0.5, 0.5),
    )
    # Nearest, bilinear, bicubic, or down and up again; a quarter of all images is halved first.
    downsample = InOrder(
        (
            Sometimes(RandomResize((0.5, 0.5), grow=0, shrink=1, keep=0, modes=("bilinear", "bicubic")), 0.25),
            OneOf(
                (
                    ToSize(("nearest",)),
                    ToSize(("bilinear",)),
                    ToSize(("bicubic",)),
                    InOrder((ToSize(("bilinear", "bicubic"), times=0.5), ToSize(("bilinear", "bicubic")))),
                ),
                (0.25, 0.25, 0.25, 0.25),
            ),
        )
    )
    std = (1 / LEVELS, 25 / LEVELS)
    noise = OneOf((GaussianNoise(std), GaussianNoise(std, grey=1.0), CorrelatedNoise(25 / LEVELS)), (0.4, 0.4, 0.2))
    return InOrder((Shuffled((blur, blur, downsample, noise, Sometimes(Jpeg((30, 95)), 0.75))), Jpeg((30, 95))))


PIPELINES: dict[str, Operation] = {"real-esrgan": _real_esrgan(), "bsrgan": _bsrgan()}
"""The pipelines by name: ``real-esrgan`` and ``bsrgan``."""
