"""What a user should know of a run before its first step."""

from collections.abc import Iterator
from pathlib import Path

from flowkit_deflow.method.latents import Domain
from flowkit_deflow.settings.schema import Data
from flowkit_deflow.training.data import UnpairedCrops
from flowkit_deflow.training.held_out import SMALLEST_FOLDER

__all__ = ["FEW_IMAGES", "cautions"]

# Below, the level of the noise was off by over 15 % where it was measured: docs/explanation/what-deflow-learns.md.
FEW_IMAGES = 20


def cautions(out: Path, crops: UnpairedCrops) -> Iterator[str]:
    """A sentence or two on each thing that may be meant otherwise, or whose result may disappoint.

    Args:
        out: folder of the run.
        crops: the training data.
    """
    yield from _one_domain(crops.data)
    yield from _few_images(crops)
    yield from _within_photographs(out, crops.data)


def _one_domain(data: Data) -> Iterator[str]:
    if data.clean is None or data.degraded is None or 1 not in data.clean_downsample:
        return
    if Path(data.clean).resolve() == Path(data.degraded).resolve():
        yield (
            f"--clean and --degraded are the same folder, {data.clean}: there is no degradation to learn between them. "
            "Give two folders, or have the clean images made of the degraded ones by --set data.clean_downsample=[4]"
        )


def _few_images(crops: UnpairedCrops) -> Iterator[str]:
    counts = {
        domain.name.lower(): len(crops.files[domain]) + len(crops.held_out[domain])
        for domain in (Domain.CLEAN, Domain.DEGRADED)
    }
    few = {name: count for name, count in counts.items() if count < FEW_IMAGES}
    if not few:
        return
    told = " and ".join(f"{count} {name} image{'' if count == 1 else 's'}" for name, count in few.items())
    yield (
        f"There are {told}. Scenes differ more than noise does: with {FEW_IMAGES} in each folder expect the strength "
        f"of the noise to be off by 15 %, with 40 by 5 %, with fewer than {FEW_IMAGES} by more"
    )
    if crops.data.held_out and min(counts.values()) < SMALLEST_FOLDER:
        yield f"With fewer than {SMALLEST_FOLDER} images in a folder none are held out: nothing judges the training"


def _within_photographs(out: Path, data: Data) -> Iterator[str]:
    folders = dict.fromkeys(folder for folder in (data.clean, data.degraded) if folder is not None)
    for folder in folders:
        if out.resolve().is_relative_to(Path(folder).resolve()):
            yield (
                f"--out {out} lies in the folder of images {folder}: pictures that are written there later, as by "
                "deflow report, would count as training images. Choose a folder elsewhere"
            )
