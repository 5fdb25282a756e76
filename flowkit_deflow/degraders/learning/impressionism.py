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

__all__ = ["choose_patches", "collect_noise"]

_log = logging.getLogger(__name__)

LEVELS = 255
# Equations are solved for all of its values at once.
WIDEST_KERNEL = 63
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
    # Only their variances and means are kept of all patches: those of many photographs would fill the memory.
    moments = [_moments(_cut(LEVELS * image.mean(0), wanted)) for image in degraded_images(run.data, problems)]
    variance, mean = torch.cat(moments, 1) if moments else torch.zeros(2, 0)
    if not len(variance):
        raise UserError(
            f"{run.data.degraded}: every image is smaller than the patches of {wanted.side} pixels; set patches.side "
            "lower"
        )
    chosen = choose_patches(variance, mean, wanted, seeded_generator(run.seed, "patches"))
    if not len(chosen) and wanted.max_variance is None:
        raise UserError(
            f"{run.data.degraded}: none of the flattest patches of {wanted.side} pixels has a mean above "
            f"{wanted.min_mean} grey levels; set patches.min_mean lower"
        )
    if not len(chosen):
        raise UserError(
            f"{run.data.degraded}: no patch of {wanted.side} pixels has a variance below {wanted.max_variance} and a "
            f"mean above {wanted.min_mean} grey levels; set patches.max_variance higher (null takes the flattest), or "
            "patches.side lower"
        )
    return _taken(run, chosen, [part.shape[1] for part in moments])


def _taken(run: ImpressionismRun, chosen: Tensor, counts: list[int]) -> Tensor:
    """Patches of all images by their numbers, ``N x 3 x S x S``, less the mean of each channel.

    In half precision, which is finer than the images' own levels.
    """
    side = run.patches.side
    noise = torch.zeros(len(chosen), 3, side, side, dtype=torch.float16)
    first = 0
    for count, image in zip(counts, degraded_images(run.data, []), strict=True):
        places = ((chosen >= first) & (chosen < first + count)).nonzero()[:, 0]
        if len(places):
            patches = torch.stack([_cut(colour, run.patches)[chosen[places] - first] for colour in image], 1)
            noise[places] = (patches - patches.mean((2, 3), keepdim=True)).half()
        first += count
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
        if max(kernel.shape) > WIDEST_KERNEL:
            raise UserError(
                f"{folder}: holds a kernel of {kernel.shape[0]} x {kernel.shape[1]}; expected {WIDEST_KERNEL} pixels "
                "at most, of which KernelGAN's have 37: cut its rim off"
            )
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


def choose_patches(variance: Tensor, mean: Tensor, settings: NoisePatches, generator: torch.Generator) -> Tensor:
    """The numbers of those patches that are flat enough.

    Args:
        variance: of each patch's grey values, in grey levels squared.
        mean: in grey levels.
        settings: which are taken.
        generator: which of them are kept, where there are too many.

    Returns:
        Their places among the patches, in any order.
    """
    bound = settings.max_variance
    if bound is None and len(variance):
        bound = float(variance.sort().values[int(FLATTEST * len(variance))])
    chosen = ((variance <= (bound or 0.0)) & (mean > settings.min_mean)).nonzero()[:, 0]
    return chosen[torch.randperm(len(chosen), generator=generator)[: settings.most]]


def _moments(patches: Tensor) -> Tensor:
    """Variance and mean of each patch, ``2 x N``."""
    values = patches.flatten(1)
    # Torch warns of a variance of nothing.
    return torch.stack([values.var(1), values.mean(1)]) if len(values) else values.new_zeros(2, 0)


def _cut(channel: Tensor, settings: NoisePatches) -> Tensor:
    """The patches of an image's channel, beside one another at half their side; none of a smaller one."""
    side = settings.side
    if min(channel.shape) < side:
        return channel.new_zeros(0, side, side)
    return channel.unfold(0, side, side // 2).unfold(1, side, side // 2).flatten(0, 1)
