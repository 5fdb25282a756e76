"""Strips of crops that were restored by what was trained on each method's images."""

from pathlib import Path

from torch import Tensor
from torch.nn.functional import interpolate

from benchmarks.restoration.cell import Cell
from benchmarks.restoration.tracks import HIDDEN, Track, degraded_by
from flowkit_deflow.app.demo_data import HELD_OUT, photograph
from flowkit_deflow.app.report.strips import draw_strips
from flowkit_deflow.files import atomic_path
from flowkit_deflow.images.image_files import read_image, write_image
from flowkit_deflow.images.middle import middle
from flowkit_deflow.images.resize import cropped_to_multiple

__all__ = ["SHOWN", "strips_lack", "write_strips"]

SHOWN = ("none", "white", "camera", "impressionism", "frequency_separation", "deflow_paper", "deflow", "oracle")
"""The methods that are shown; two rows of pictures with the degraded one and the truth."""

SIDE = 128
"""Of a crop in the restored image, in pixels."""


def strips_lack(track: Track, root: Path) -> list[str]:
    """The methods whose cells would have to be computed for the strips."""
    return [method for method in SHOWN if not _shown(track, method, root).is_computed(root)]


def write_strips(track: Track, root: Path, path: Path) -> None:
    """Two of scikit-image's photographs, degraded by the track's process and restored by the cells of seed 0.

    The photographs that are judged may not be shown; these may. Of a track of real noise there are none.

    Args:
        track: the track.
        root: folder of the cells, which are computed.
        path: the PNG to write.
    """
    if track.name not in HIDDEN:
        return
    folder = root / track.name / "pictures"
    truth = {name: cropped_to_multiple(photograph(name), track.scale) for name in HELD_OUT}
    for index, (name, image) in enumerate(truth.items()):
        write_image(folder / "degraded" / f"{name}.png", degraded_by(track, image, index))
    for method in SHOWN:
        _shown(track, method, root).restore(root, folder / "degraded", folder / method)
    rows: list[dict[str, Tensor]] = []
    for name, image in truth.items():
        small = read_image(folder / "degraded" / f"{name}.png")
        crops = {"degraded": interpolate(small[None], scale_factor=track.scale)[0]}
        crops |= {method: read_image(folder / method / f"{name}.png") for method in SHOWN}
        crops["truth"] = image
        titled = [(title, middle(crop, SIDE)) for title, crop in crops.items()]
        rows += [dict(titled[: len(titled) // 2]), dict(titled[len(titled) // 2 :])]
    with atomic_path(path) as temporary:
        draw_strips(rows).savefig(temporary, dpi=84, format="png")


def _shown(track: Track, method: str, root: Path) -> Cell:
    # Where its folder is does not depend on the steps of its network, nor on the metrics' files.
    return Cell(track, method, 0, 0, root)
