"""Which clean image a degraded image belongs to: the one of its name."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import list_images

__all__ = ["Images", "Partnered", "images_by_name", "partnered", "with_references", "without_partners"]

Images = Path | Sequence[Path]

_SAMPLE = re.compile(r"_s\d+$")
_OR_NONE = "give the clean images it belongs to, or none at all to compare each image with itself smoothed"


@dataclass(frozen=True)
class Partnered:
    """A degraded image's file, and its clean partner's if it has one."""

    path: Path
    clean: Path | None

    @property
    def scene(self) -> str:
        """What all samples of a clean image have in common: that image's file, or their name without the number."""
        if self.clean is not None:
            return str(self.clean.resolve())
        return str(self.path.with_name(_SAMPLE.sub("", self.path.stem)).absolute())


def partnered(
    generated: Images, real: Images, clean: Images | None, real_clean: Images | None
) -> tuple[list[Partnered], list[Partnered]]:
    """Find the clean partners of generated and of real images, all of them or none.

    Args:
        generated: the generated images.
        real: the real degraded images.
        clean: the clean images of `generated`; without them no image has a partner.
        real_clean: the clean images of `real`; `clean` if not given.

    Returns:
        The generated images and the real ones.

    Raises:
        UserError: an image has no partner, two clean images have the same name, there are no images, or
            `real_clean` is given without `clean`.
    """
    if clean is None:
        if real_clean is not None:
            raise UserError(
                "clean partners were given for the real images but not for the generated ones; give both, "
                "or none to compare each image with itself smoothed"
            )
        return without_partners(generated, "generated"), without_partners(real, "real")
    partners = images_by_name(clean, "clean")
    own_partners = partners if real_clean is None else images_by_name(real_clean, "clean")
    return _with_partners(generated, partners, "generated"), _with_partners(real, own_partners, "real")


def with_references(images: Images, references: Images) -> list[Partnered]:
    """Images to judge with their references, by the same names.

    Args:
        images: the images; samples of one, ``NAME_s0``, ``NAME_s1``, ..., share the reference ``NAME``.
        references: the references.

    Returns:
        The images, each with its reference as ``clean``.

    Raises:
        UserError: an image has no reference, two references have the same name, or there are no images.
    """
    return _with_partners(
        images, images_by_name(references, "reference"), "judged", "give a folder that holds its reference"
    )


def _named(images: Images) -> list[tuple[str, Path]]:
    if isinstance(images, Path):
        root = images if images.is_dir() else images.parent
        return [(path.relative_to(root).with_suffix("").as_posix(), path) for path in list_images(images)]
    return [(path.stem, path) for path in images]


def images_by_name(images: Images, kind: str) -> dict[str, Path]:
    """Image files by what pairs them: their path below the folder without its suffix, or their stem.

    Args:
        images: a folder or files.
        kind: what they are, for messages.

    Raises:
        UserError: two have the same name.
    """
    found: dict[str, Path] = {}
    for name, path in _named(images):
        if name in found:
            raise UserError(
                f"two {kind} images are called '{name}': '{found[name]}' and '{path}'; rename or remove one of them"
            )
        found[name] = path
    return found


def without_partners(images: Images, kind: str) -> list[Partnered]:
    """Images that are measured by themselves; an error if there are none."""
    return _some([Partnered(path, None) for _, path in _named(images)], kind)


def _with_partners(images: Images, partners: Mapping[str, Path], kind: str, advice: str = _OR_NONE) -> list[Partnered]:
    matched = []
    for name, path in _named(images):
        clean = partners.get(name) or partners.get(_SAMPLE.sub("", name))
        if clean is None:
            raise UserError(
                f"the {kind} image '{path}' has no clean partner: none of the {len(partners)} clean images is called "
                f"'{_SAMPLE.sub('', name)}'; {advice}"
            )
        matched.append(Partnered(path, clean))
    return _some(matched, kind)


def _some(images: list[Partnered], kind: str) -> list[Partnered]:
    if not images:
        raise UserError(f"there are no {kind} images to compare; give at least one")
    return images
