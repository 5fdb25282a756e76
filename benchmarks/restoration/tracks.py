"""The tracks: clean and degraded images to learn from, and pairs to judge by."""

import json
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, fields
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.conditioning.kinds import KINDS
from flowkit_deflow.images.image_files import list_images, read_image, write_image
from flowkit_deflow.images.noise import seeded_generator
from flowkit_deflow.images.resize import bicubic_downsample, cropped_to_multiple

__all__ = ["HIDDEN", "TRACKS", "Track", "degraded_by", "make_tracks"]

SCALE = 4
CLEAN, DEGRADED = 70, 70  # photographs of BSDS500 for each domain; the others are judged


@dataclass(frozen=True)
class Track:
    """Folders of a track.

    Attributes:
        name: the track.
        scale: size of the restored over the degraded images.
        clean: clean images to restore to, at the size of the restored ones.
        learned_clean: those of them that degradations are learned from, beside the degraded ones.
        degraded: degraded images of other scenes.
        pairs_clean: clean images whose degraded partners only the oracle sees.
        pairs_degraded: those partners.
        judged_degraded: degraded images to restore.
        judged_clean: what they should become.
        judged_small: that, at the size of the degraded images.
    """

    name: str
    scale: int
    clean: Path
    learned_clean: Path
    degraded: Path
    pairs_clean: Path
    pairs_degraded: Path
    judged_degraded: Path
    judged_clean: Path
    judged_small: Path


def _folders(name: str, scale: int, data: Path) -> Track:
    parts = [field.name for field in fields(Track) if field.type is Path]
    return Track(name, scale, *(data / part for part in parts))


def _high_frequency(image: Tensor, generator: torch.Generator) -> Tensor:
    """Noise of 12 grey levels without its coarse waves, as NTIRE's hidden process adds it."""
    white = torch.randn(image.shape, generator=generator)
    fine = white - torch.nn.functional.avg_pool2d(white[None], 3, 1, 1)[0]
    return image + 12 / 255 * fine / fine.std()


HIDDEN: dict[str, Callable[[Tensor, torch.Generator], Tensor]] = {
    # Correlated noise that follows brightness, then JPEG, as AIM's hidden process adds them.
    "S_aim": KINDS["demo's camera"],
    "S_ntire": _high_frequency,
}
TRACKS = ("R", *HIDDEN)


def make_tracks(names: Iterable[str], photographs: Path, polyu: Path, root: Path) -> list[Track]:
    """Write the folders of tracks; those that are there already stay as they are, whatever they were made of.

    Args:
        names: of ``TRACKS``.
        photographs: 200 clean photographs (BSDS500's training images).
        polyu: a folder with ``dev`` and ``val``, each of ``clean`` and ``noisy``, and ``unpaired_split.json``.
        root: folder to write to.
    """
    tracks = []
    for name in names:
        data, scale = root / name / "data", 1 if name == "R" else SCALE
        if not data.exists():
            # Under another name until it is whole: a track that was interrupted would be judged by fewer images.
            begun = _folders(name, scale, data.with_name("data begun"))
            shutil.rmtree(begun.clean.parent, ignore_errors=True)
            for folder in (value for value in vars(begun).values() if isinstance(value, Path)):
                folder.mkdir(parents=True)
            if name == "R":
                _real(begun, photographs, polyu)
            else:
                _made(begun, photographs)
            begun.clean.parent.rename(data)
        tracks.append(_folders(name, scale, data))
    return tracks


def _real(track: Track, photographs: Path, polyu: Path) -> None:
    """Camera noise: PolyU's unpaired split, and BSDS500 among the clean images that are restored to.

    Degradations are learned from photographs of the same cameras: BSDS500's are sharper, and grainier in flat places,
    than PolyU's noisy ones, so that noise that is learned as the difference of the two all but vanishes.
    """
    split = json.loads((polyu / "unpaired_split.json").read_text(encoding="utf-8"))
    validation = sorted(path.stem for path in (polyu / "val" / "noisy").iterdir())

    def link(folder: Path, part: str, kind: str, scenes: Iterable[str]) -> None:
        for scene in scenes:
            (folder / f"{scene}.jpg").symlink_to(polyu / part / kind / f"{scene}.jpg")

    for folder in (track.clean, track.learned_clean):
        link(folder, "dev", "clean", split["clean"])
    link(track.degraded, "dev", "noisy", split["noisy"])
    link(track.pairs_clean, "dev", "clean", split["clean"])
    link(track.pairs_degraded, "dev", "noisy", split["clean"])
    judged = {track.judged_degraded: "noisy", track.judged_clean: "clean", track.judged_small: "clean"}
    for folder, kind in judged.items():
        link(folder, "val", kind, validation)
        link(folder, "dev", kind, split["noisy"])
    for file in list_images(photographs):
        (track.clean / f"bsds500_{file.name}").symlink_to(file)


def degraded_by(track: Track, image: Tensor, seed: int) -> Tensor:
    """What a track's hidden process makes of a photograph: smaller by its scale, ``3 x H x W`` in [0, 1]."""
    return HIDDEN[track.name](_smaller(track, image), seeded_generator(seed, track.name)).clamp(0, 1)


def _smaller(track: Track, image: Tensor) -> Tensor:
    return bicubic_downsample(image[None], track.scale)[0].clamp(0, 1)


def _made(track: Track, photographs: Path) -> None:
    """Photographs downsampled, and degraded by a process that no method knows."""
    files = list_images(photographs)
    order = torch.randperm(len(files), generator=torch.Generator().manual_seed(11)).tolist()
    clean, other, judged = order[:CLEAN], order[CLEAN : CLEAN + DEGRADED], order[CLEAN + DEGRADED :]

    def write(indices: Iterable[int], full: Path | None, low: Path | None) -> None:
        for index in indices:
            image = cropped_to_multiple(read_image(files[index]), track.scale)
            name = f"{files[index].stem}.png"
            if full is not None:
                write_image(full / name, image)
            if low is not None:
                write_image(low / name, degraded_by(track, image, index))

    write(clean, track.clean, None)
    for file in list_images(track.clean):
        (track.learned_clean / file.name).symlink_to(Path("..") / track.clean.name / file.name)
    write(clean, track.pairs_clean, track.pairs_degraded)
    write(other, None, track.degraded)
    write(judged, track.judged_clean, track.judged_degraded)
    for file in list_images(track.judged_clean):
        write_image(track.judged_small / file.name, _smaller(track, read_image(file)))
