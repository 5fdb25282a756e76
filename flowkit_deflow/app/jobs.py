"""Which image becomes which files."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple, Self

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_files import IMAGE_SUFFIXES, NOT_READ, WRITABLE_SUFFIXES, page_count, survey

__all__ = ["Job", "Naming", "Plan", "Shard", "is_one_file", "plan", "require_distinct"]

# File systems take names of up to 255 bytes.
LONGEST_NAME = 255
# How many of several mistakes of one kind are named.
NAMED = 10


@dataclass(frozen=True)
class Job:
    """One image to work on.

    Attributes:
        source: the file.
        key: its path within the source folder: what its random numbers depend on.
        targets: the files to write, one for each sample.
        page: which image of the file it is, from 0.
    """

    source: Path
    key: str
    targets: tuple[Path, ...]
    page: int = 0


@dataclass(frozen=True)
class Naming:
    """How results are called.

    Attributes:
        suffix: of the files to write, such as ``.png``.
        samples: versions of each image, written as ``NAME_s0``, ``NAME_s1``, ...; ``None`` for one, as ``NAME``.
        endings: further files per image, ``NAME`` + ending.
        keep_suffix: ``NAME`` is the whole name of the image, such as ``a.jpg``.
        all_pages: each image of a file of several gets results of its own, ``NAME_p0``, ``NAME_p1``, ...
    """

    suffix: str
    samples: int | None = None
    endings: tuple[str, ...] = ()
    keep_suffix: bool = False
    all_pages: bool = False

    @classmethod
    def of(
        cls,
        format_: str,
        samples: int | None = None,
        endings: tuple[str, ...] = (),
        *,
        keep_suffix: bool = False,
        all_pages: bool = False,
    ) -> Self:
        """As the command line says it: the format with or without a dot, in any case."""
        return cls(f".{format_.lower().removeprefix('.')}", samples, endings, keep_suffix, all_pages)

    @property
    def parts(self) -> list[str]:
        """What follows ``NAME`` in the files of one image.

        Examples:
            >>> Naming(".png", samples=2, endings=("_mean",)).parts
            ['_s0', '_s1', '_mean']
        """
        return [*([""] if self.samples is None else [f"_s{i}" for i in range(self.samples)]), *self.endings]


class Shard(NamedTuple):
    """A share of the work: images number, number + total, number + 2 total, ...

    Attributes:
        number: which share, from 1.
        total: how many there are.
    """

    number: int
    total: int

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read ``3/16``.

        Raises:
            UserError: it is not of that form.

        Examples:
            >>> Shard.parse("3/16")
            Shard(number=3, total=16)
        """
        number, _, total = text.partition("/")
        if number.isdecimal() and total.isdecimal() and 1 <= int(number) <= int(total):
            return cls(int(number), int(total))
        raise UserError(f"--shard {text!r}: expected which share of how many, from 1/16 to 16/16 for sixteen")

    @classmethod
    def asked(cls, text: str | None) -> Self | None:
        """What ``--shard`` asks for; ``None`` for all of the work."""
        return None if text is None else cls.parse(text)

    def of(self, jobs: Sequence[Job]) -> list[Job]:
        """This share of the jobs."""
        return list(jobs[self.number - 1 :: self.total])


@dataclass
class Plan:
    """What is to be done.

    Attributes:
        jobs: in the order of their paths.
        problems: messages on images that cannot be worked on.
        others: how many files are no images, by their suffix.
    """

    jobs: list[Job]
    problems: list[str] = field(default_factory=list)
    others: Counter[str] = field(default_factory=Counter)


def plan(source: Path, target: Path, naming: Naming, results: Path | None = None) -> Plan:
    """Which file becomes which.

    Args:
        source: an image or a folder tree of them.
        target: a folder; or, for one image, a file with an image's suffix.
        naming: how the results are called.
        results: folder of results, which are not taken for images to work on should it lie inside ``source``;
            ``target`` if ``None``.

    Returns:
        The jobs, and the files that none is made of.

    Raises:
        UserError: nothing to read, an unknown suffix, or images that would be written to the same file.

    Examples:
        >>> import tempfile
        >>> folder = Path(tempfile.mkdtemp())
        >>> (folder / "a.jpg").touch()
        >>> [t.name for t in plan(folder, Path("out"), Naming(".png", samples=2)).jobs[0].targets]
        ['a_s0.png', 'a_s1.png']
    """
    if naming.suffix not in WRITABLE_SUFFIXES:
        raise UserError(f"image format {naming.suffix!r} is unknown; there are: {', '.join(WRITABLE_SUFFIXES)}")
    if source.is_dir() and target.is_file():
        raise UserError(f"{target}: is a file, but {source} is a folder; name a folder to write to")
    found = survey(source)
    own = (results or target).resolve()
    inside = own != source.resolve() and own.is_relative_to(source.resolve())
    result = Plan([], others=found.others)
    for file in found.images:
        if inside and file.resolve().is_relative_to(own):
            continue
        key = file.relative_to(source).as_posix() if source.is_dir() else file.name
        stem, called = _stem(source, target, key, naming)
        if len(os.fsencode(f"{stem.name}{max(called.parts, key=len)}{called.suffix}")) > LONGEST_NAME:
            result.problems.append(f"{file}: its result's name would be too long for a file system; rename the image")
            continue
        result.jobs += _jobs_of(file, key, stem, called)
    advice = "rename one of them" if naming.keep_suffix else "rename one of them, or give --keep-suffix"
    require_distinct(result.jobs, advice)
    return result


def is_one_file(source: Path, target: Path) -> bool:
    """Whether the result is a file called ``target``, not a folder."""
    named_like_an_image = target.suffix.lower() in {*IMAGE_SUFFIXES, *NOT_READ, *WRITABLE_SUFFIXES}
    return named_like_an_image and not source.is_dir() and not target.is_dir()


def _stem(source: Path, target: Path, key: str, naming: Naming) -> tuple[Path, Naming]:
    """The results' path up to their parts, and the naming with the suffix that ``target`` asks for."""
    if is_one_file(source, target):
        suffix = target.suffix.lower()
        if suffix not in WRITABLE_SUFFIXES:
            raise UserError(
                f"{target}: images are not written as {suffix}; there are: {', '.join(WRITABLE_SUFFIXES)} (to write "
                "into a folder of that name, make it first)"
            )
        return target.with_suffix(""), replace(naming, suffix=target.suffix)
    path = target / key
    return (path if naming.keep_suffix else path.with_suffix("")), naming


def _jobs_of(file: Path, key: str, stem: Path, naming: Naming) -> list[Job]:
    pages = page_count(file) if naming.all_pages else 1
    jobs = []
    for page in range(pages):
        # The first page has the key of the file, so that its numbers are those of a run on first pages alone.
        page_key, page_part = (key, "") if pages == 1 else (f"{key}#{page}" if page else key, f"_p{page}")
        targets = tuple(stem.with_name(f"{stem.name}{page_part}{part}{naming.suffix}") for part in naming.parts)
        jobs.append(Job(file, page_key, targets, page))
    return jobs


def require_distinct(jobs: Sequence[Job], advice: str) -> None:
    """Check that nothing is written twice, nor over its own source; what would be is named all at once.

    Args:
        jobs: what is to be done.
        advice: what to do otherwise, for the message.

    Raises:
        UserError: something would be.
    """
    sources: dict[Path, list[Path]] = {}
    for job in jobs:
        for target in job.targets:
            sources.setdefault(target, []).append(job.source)
            if target.resolve() == job.source.resolve():
                raise UserError(
                    f"{job.source}: would be overwritten by its own result; choose another folder to write to"
                )
    twice = {target: files for target, files in sources.items() if len(files) > 1}
    if twice:
        named = [f"{' and '.join(map(str, files))} to {target}" for target, files in list(twice.items())[:NAMED]]
        more = f"; and {len(twice) - NAMED} more" if len(twice) > NAMED else ""
        raise UserError(f"images would be written to the same file: {'; '.join(named)}{more}; {advice}")
