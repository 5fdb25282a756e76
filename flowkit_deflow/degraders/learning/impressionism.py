"""Collects noise patches and blur kernels of degraded images."""

import logging
from pathlib import Path

import torch
from torch import Tensor

from flowkit_deflow.degraders.kernel_gan import estimate_kernel
from flowkit_deflow.degraders.learning.folders import degraded_images
from flowkit_deflow.degraders.learning.learner import Learned
from flowkit_deflow.degraders.noise_injection import NoiseInjection
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.blur_kernels import read_kernels
from flowkit_deflow.images.kernel_beyond_bicubic import beyond_bicubic
from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.settings.degraders import ImpressionismRun, NoisePatches

__all__ = ["collect_noise", "collect_patches"]

_log = logging.getLogger(__name__)

LEVELS = 255
FLATTEST = 0.01  # share of all patches


def collect_noise(run: ImpressionismRun, out: Path, progress: bool) -> Learned:
    """Noise patches of all degraded images, blur kernels of some.

    Raises:
        UserError: no image is as large as a patch, no patch is flat enough, or no image large enough for a kernel that
            is asked for.
    """
    problems: list[str] = []
    # What takes a moment comes first: it may not be there.
    patches = _noise_patches(run, problems)
    return Learned(NoiseInjection(patches, _blur_kernels(run)), problems)


def _noise_patches(run: ImpressionismRun, problems: list[str]) -> Tensor:
    wanted = run.patches
    patches = torch.cat([_cut(image, wanted) for image in degraded_images(run.data, problems)])
    if not len(patches):
        raise UserError(
            f"{run.data.degraded}: every image is smaller than the patches of {wanted.side} pixels; set patches.side "
            "lower"
        )
    noise = collect_patches(patches, wanted, seeded_generator(run.seed, "patches"))
    if not len(noise) and wanted.max_variance is None:
        raise UserError(
            f"{run.data.degraded}: none of the flattest patches of {wanted.side} pixels has a mean above "
            f"{wanted.min_mean} grey levels; set patches.min_mean lower"
        )
    if not len(noise):
        raise UserError(
            f"{run.data.degraded}: no patch of {wanted.side} pixels has a variance below {wanted.max_variance} and a "
            f"mean above {wanted.min_mean} grey levels; set patches.max_variance higher (null takes the flattest), or "
            "patches.side lower"
        )
    return noise


def _blur_kernels(run: ImpressionismRun) -> list[Tensor]:
    """What to blur clean images by that have been downsampled bicubically."""
    if run.kernel_folder is not None:
        kernels = _read_kernels(Path(run.kernel_folder))
    elif run.kernels.images:
        kernels = _estimated_kernels(run)
    else:
        kernels = []
    return [beyond_bicubic(kernel, run.kernels.scale) for kernel in kernels]


def _read_kernels(folder: Path) -> list[Tensor]:
    kernels = read_kernels(folder)
    for kernel in kernels:
        if any(side % 2 == 0 for side in kernel.shape):
            raise UserError(
                f"{folder}: holds a kernel of {kernel.shape[0]} x {kernel.shape[1]}; expected odd sides, with the "
                "kernel's centre of mass in the middle, as deflow kernels writes them"
            )
    return kernels


def _estimated_kernels(run: ImpressionismRun) -> list[Tensor]:
    kernels: list[Tensor] = []
    for number, image in enumerate(degraded_images(run.data, [])):
        if min(image.shape[-2:]) >= run.kernels.crop:
            kernels.append(estimate_kernel(image, run.kernels, seeded_generator(run.seed, "kernel", number)))
            # Each takes minutes.
            _log.info("%d of %d blur kernels estimated", len(kernels), run.kernels.images)
        if len(kernels) == run.kernels.images:
            break
    if not kernels:
        raise UserError(
            f"{run.data.degraded}: no image is as large as the crops of {run.kernels.crop} pixels that blur is "
            "estimated from; set kernels.crop lower, or kernels.images to 0"
        )
    return kernels


def collect_patches(patches: Tensor, settings: NoisePatches, generator: torch.Generator) -> Tensor:
    """Those of some patches that are flat enough, less the mean of each channel.

    Args:
        patches: ``N x 3 x S x S`` in [0, 1].
        settings: which are taken.
        generator: which of them are kept, where there are too many.

    Returns:
        ``M x 3 x S x S`` in half precision, which is finer than the images' own levels.
    """
    grey = LEVELS * patches.mean(1).flatten(1)
    variance = grey.var(1)
    bound = settings.max_variance
    if bound is None and len(variance):
        bound = float(variance.sort().values[int(FLATTEST * len(variance))])
    chosen = ((variance <= (bound or 0.0)) & (grey.mean(1) > settings.min_mean)).nonzero()[:, 0]
    chosen = chosen[torch.randperm(len(chosen), generator=generator)[: settings.most]]
    flat = patches[chosen]
    return (flat - flat.mean((2, 3), keepdim=True)).half()


def _cut(image: Tensor, settings: NoisePatches) -> Tensor:
    """An image's patches, beside one another at half their side; none of a smaller image."""
    side = settings.side
    if min(image.shape[-2:]) < side:
        return image.new_zeros(0, 3, side, side)
    return image.unfold(1, side, side // 2).unfold(2, side, side // 2).movedim(0, 2).flatten(0, 1)
