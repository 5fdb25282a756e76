"""Pairs for super-resolution: where their files lie, what becomes of a photograph, and what trains on them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import torch
import yaml
from torch import Tensor

from flowkit_deflow.app.jobs import Job
from flowkit_deflow.app.rendering import Rendering, Shown, UnsuitableError, Work
from flowkit_deflow.app.renderings import degraded_pieces, downsampled, in_strips, whole
from flowkit_deflow.app.sub_images import SubImages
from flowkit_deflow.degraders.degrader import Degrader
from flowkit_deflow.files import write_text
from flowkit_deflow.images.image_files import ImageError, image_size
from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.images.resize import Window, cropped_to_multiple
from flowkit_deflow.images.tiling import Piece

__all__ = ["DEGRADED", "HIGH", "LMDB", "LOW", "arranged", "paired", "temperature_of", "write_options"]

# High resolution, low resolution, and low resolution with the degradation; files of one pair have one name.
HIGH, LOW, DEGRADED = "HR", "LR", "LQ"
LMDB = ".lmdb"


def arranged(job: Job, out: Path, scale: int, sub_images: SubImages | None) -> Job:
    """A job that writes to ``out/HR``, made to write its files to all three folders: ``NAME_s001``, ... of sub-images.

    An image without sub-images, which may be too small or unreadable, has no files: the work on it says why.
    """
    names = [target.relative_to(out / HIGH) for target in job.targets]
    if sub_images is not None:
        count = _count(job.source, scale, sub_images)
        names = [name.with_stem(f"{name.stem}_s{i:03d}") for name in names for i in range(1, count + 1)]
    return replace(job, targets=tuple(out / kind / name for kind in (HIGH, LOW, DEGRADED) for name in names))


def _count(source: Path, scale: int, sub_images: SubImages) -> int:
    try:
        height, width = image_size(source)
    except ImageError:
        # Reading it will say what is wrong.
        return 0
    return sub_images.count(height - height % scale, width - width % scale)


def temperature_of(low: float, high: float) -> Callable[[SeededNoise], float]:
    """An image's temperature, drawn between two bounds from its own source of randomness."""

    def drawn(noise: SeededNoise) -> float:
        draw = torch.rand((), generator=noise.generator("temperature"), dtype=torch.float64).item()
        return low + (high - low) * draw

    return drawn


def paired(
    degrader: Degrader,
    scale: int,
    temperature: Callable[[SeededNoise], float],
    samples: int,
    tile: int,
    device: torch.device,
    sub_images: SubImages | None = None,
) -> Work:
    """A photograph cut to multiples of the scale, downsampled, and degraded; then all of it cut into sub-images.

    Args:
        degrader: on ``device``.
        scale: of the super-resolution.
        temperature: an image's, from its source of randomness.
        samples: how many degraded versions; each is of a pair with the same photograph.
        tile: side of the tiles of a degrader that has tiles (pixels of the low resolution).
        device: where it is done.
        sub_images: how they are cut; ``None``: not at all.
    """

    def shown(high: Tensor) -> list[Shown]:
        """The files: those of all versions at high resolution, at low resolution, and degraded."""
        height, width = high.shape[-2:]
        large = [None] if sub_images is None else list(sub_images.windows(height, width))
        small = [None if window is None else Window(*(number // scale for number in window)) for window in large]
        versions = range(samples)
        return [
            *(Shown(0, window) for _ in versions for window in large),
            *(Shown(1, window) for _ in versions for window in small),
            *(Shown(2 + version, window) for version in versions for window in small),
        ]

    def work(images: Tensor, noise: SeededNoise) -> Rendering:
        if scale > min(images.shape[-2:]):
            height, width = images.shape[-2:]
            raise UnsuitableError(f"its {width} x {height} pixels are fewer than the scale {scale}; leave it out")
        strength = temperature(noise)
        high = cropped_to_multiple(images, scale)
        if sub_images is not None and sub_images.size > min(high.shape[-2:]):
            height, width = high.shape[-2:]
            raise UnsuitableError(
                f"its {width} x {height} pixels are fewer than a sub-image's {sub_images.size} x {sub_images.size}; "
                "leave it out"
            )
        low = downsampled(high, scale)

        def pieces() -> Iterator[Piece]:
            yield from in_strips(0, high)
            yield whole(1, low)
            for piece in degraded_pieces(degrader, low, strength, samples, noise, tile, device):
                yield piece._replace(sample=piece.sample + 2)

        small = (low.shape[-2], low.shape[-1])
        sizes = [(high.shape[-2], high.shape[-1]), small, *[small] * samples]
        return Rendering(sizes, pieces(), {"temperature": strength}, shown(high))

    return work


def write_options(out: Path, scale: int, lmdb: bool = False) -> list[Path]:
    """Write what BasicSR, KAIR and Real-ESRGAN have to be told of the pairs: option files' entries, ready to copy.

    Args:
        out: folder of the pairs.
        scale: of the super-resolution.
        lmdb: whether the pairs are in LMDBs too, which BasicSR and Real-ESRGAN then read; KAIR reads folders alone.

    Returns:
        The files.
    """
    high, degraded = (str((out / kind).resolve()) for kind in (HIGH, DEGRADED))
    crop = {"gt_size": 64 * scale, "use_hflip": True, "use_rot": True}
    loading = {"num_worker_per_gpu": 4, "batch_size_per_gpu": 16, "dataset_enlarge_ratio": 1, "prefetch_mode": None}
    suffix, backend = (LMDB, "lmdb") if lmdb else ("", "disk")
    folders = {
        "dataroot_gt": high + suffix,
        "dataroot_lq": degraded + suffix,
        "io_backend": {"type": backend},
    }

    def basicsr(kind: str) -> str:
        train = {"name": out.name, "type": kind, **folders, **crop, "use_shuffle": True, **loading}
        return yaml.safe_dump({"scale": scale, "datasets": {"train": train}}, sort_keys=False)

    kair = {
        "scale": scale,
        "datasets": {
            "train": {
                "name": out.name,
                "dataset_type": "sr",
                "dataroot_H": high,
                "dataroot_L": degraded,
                "H_size": 24 * scale,
                "dataloader_shuffle": True,
                "dataloader_num_workers": 4,
                "dataloader_batch_size": 32,
            }
        },
    }
    texts = {
        "basicsr.yml": basicsr("PairedImageDataset"),
        "realesrgan.yml": basicsr("RealESRGANPairedDataset"),
        "kair.json": json.dumps(kair, indent=2) + "\n",
    }
    for name, text in texts.items():
        write_text(out / "options" / name, text)
    return [out / "options" / name for name in texts]
