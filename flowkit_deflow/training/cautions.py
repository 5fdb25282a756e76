"""What a user should know of a run before its first step."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from flowkit_deflow.images.image_listing import list_images
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.training.data import UnpairedCrops
from flowkit_deflow.training.held_out import SMALLEST_FOLDER
from flowkit_deflow.training.run_settings import has_begun

__all__ = ["FEW_IMAGES", "cautions", "warn_of_folders"]

log = logging.getLogger(__name__)

# Below, the level of the noise was off by over 15 % where it was measured: docs/explanation/what-deflow-learns.md.
FEW_IMAGES = 20


def cautions(out: Path, crops: UnpairedCrops) -> Iterator[str]:
    """A sentence or two on each thing that may be meant otherwise, or whose result may disappoint.

    Args:
        out: folder of the run.
        crops: the training data.
    """
    data = crops.data
    made_of_degraded = ", or have the clean images made of the degraded ones by --set data.clean_downsample=[4]"
    yield from _one_domain(data.clean, data.degraded, data.clean_downsample, made_of_degraded)
    yield from _few_images(crops)
    yield from _within_photographs(out, data.clean, data.degraded)


def warn_of_folders(
    recorded: Path, clean: str | None, degraded: str | None, clean_downsample: Sequence[int] = (1,)
) -> None:
    """Log what a user should know of a run of another degrader or of a restorer; of one that has begun, nothing.

    Args:
        recorded: the file of the run's settings.
        clean: folder of clean images.
        degraded: folder of degraded images.
        clean_downsample: factors by which the clean ones are downsampled first.

    Raises:
        UserError: a folder cannot be read, or holds no images.
    """
    if not has_begun(recorded):
        for caution in _cautions_of_folders(recorded.parent, clean, degraded, clean_downsample):
            log.warning(f"Take care: {caution}.")


def _cautions_of_folders(
    out: Path, clean: str | None, degraded: str | None, clean_downsample: Sequence[int]
) -> Iterator[str]:
    yield from _one_domain(clean, degraded, clean_downsample)
    counts = {
        name: len(list_images(Path(folder)))
        for name, folder in (("clean", clean), ("degraded", degraded))
        if folder is not None
    }
    told = _few(counts)
    if told:
        yield (
            f"{told}. With fewer than {FEW_IMAGES} in a folder, expect what is learned to be of their scenes "
            "as well as of what they have in common"
        )
    yield from _within_photographs(out, clean, degraded)


def _one_domain(
    clean: str | None, degraded: str | None, clean_downsample: Sequence[int], or_else: str = ""
) -> Iterator[str]:
    if clean is None or degraded is None or 1 not in clean_downsample:
        return
    if Path(clean).resolve() == Path(degraded).resolve():
        yield (
            f"--clean and --degraded are the same folder, {clean}: there is no degradation to learn between them. "
            f"Give two folders{or_else}"
        )


def _few_images(crops: UnpairedCrops) -> Iterator[str]:
    counts = {
        domain.name.lower(): len(crops.files[domain]) + len(crops.held_out[domain])
        for domain in (Domain.CLEAN, Domain.DEGRADED)
    }
    told = _few(counts)
    if not told:
        return
    yield (
        f"{told}. Scenes differ more than noise does: with {FEW_IMAGES} in each folder expect the strength "
        f"of the noise to be off by 15 %, with 40 by 5 %, with fewer than {FEW_IMAGES} by more"
    )
    if crops.data.held_out and min(counts.values()) < SMALLEST_FOLDER:
        yield f"With fewer than {SMALLEST_FOLDER} images in a folder none are held out: nothing judges the training"


def _few(counts: Mapping[str, int]) -> str:
    """That there are few images of some domains, as text; empty if there are enough of all."""
    few = {name: count for name, count in counts.items() if count < FEW_IMAGES}
    told = " and ".join(f"{count} {name} image{'' if count == 1 else 's'}" for name, count in few.items())
    return told and f"There {'is' if next(iter(few.values())) == 1 else 'are'} {told}"


def _within_photographs(out: Path, *folders: str | None) -> Iterator[str]:
    for folder in dict.fromkeys(folder for folder in folders if folder is not None):
        if out.resolve().is_relative_to(Path(folder).resolve()):
            yield (
                f"--out {out} lies in the folder of images {folder}: pictures that are written there later, as by "
                "deflow report, would count as training images. Choose a folder elsewhere"
            )
