"""What the commands that make images of images have in common."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from flowkit_deflow.app.jobs import Naming, Shard, is_one_file, plan
from flowkit_deflow.app.left_out import report_problems
from flowkit_deflow.errors import UserError
from flowkit_deflow.images.image_writing import WRITABLE_SUFFIXES, Encoding

if TYPE_CHECKING:  # heavy imports wait until a command runs: --help answers at once
    from collections.abc import Callable, Sequence

    import torch

    from flowkit_deflow.app.apply import Outcome
    from flowkit_deflow.app.jobs import Job, Plan
    from flowkit_deflow.app.ray_data import Cluster
    from flowkit_deflow.app.rendering import Work
    from flowkit_deflow.app.store import Store

__all__ = ["HIGHEST_TEMPERATURE", "ImageTask", "report_problems", "require_sensible", "usable_device"]

# What is stronger than three times what was learned has nothing to do with it any more.
HIGHEST_TEMPERATURE = 3.0


@dataclass(frozen=True)
class ImageTask:
    """Images to read, and where and how to write what becomes of them.

    Attributes:
        command: of ``deflow``, for the record.
        source: an image or a folder tree of them.
        target: where to write.
        naming: how the results are called.
        encoding: how they are written.
        keep_alpha: the images' opacity goes into the results.
        keep_exif: their EXIF data does.
        seed: what the random numbers depend on, besides each image's path.
        workers: threads that read and write.
        overwrite: work on images whose results are there too.
        strict: stop at the first unreadable image.
        shard: the share of the images to work on; ``None`` for all.
        cluster: machines to share the images out to; ``None``: this process does them.
        results: folder of results, should it be another than ``target``.
        record: where the manifest lies, should it be another folder than ``target``.
        arrange: a last change to each job, such as other files to write.
        uniform: the folder is to hold results that were made in one way alone.
    """

    command: str
    source: Path
    target: Path
    naming: Naming
    encoding: Encoding = field(default_factory=Encoding)
    keep_alpha: bool = False
    keep_exif: bool = False
    seed: int = 0
    workers: int = 2
    overwrite: bool = False
    strict: bool = False
    shard: Shard | None = None
    cluster: "Cluster | None" = None
    results: Path | None = None
    record: Path | None = None
    arrange: "Callable[[Job], Job] | None" = None
    uniform: bool = False

    def run(self, work: "Work", model: Path | None = None, settings: Mapping[str, Any] | None = None) -> "Plan":
        """Work through the images with a progress bar, and say what was done.

        Args:
            work: what becomes of one image.
            model: folder of the model that does it; ``None`` for none.
            settings: what else decides the results.

        Returns:
            The jobs, and what was left out, for :func:`report_problems` to tell.

        Raises:
            UserError: a result cannot be written, results are there that were made otherwise, or no image could be
                read.
        """
        from tqdm import tqdm

        from flowkit_deflow.app.manifest import Manifest
        from flowkit_deflow.app.origin import Origin
        from flowkit_deflow.app.store import Store
        from flowkit_deflow.model_folder import model_hash

        suffix = self.target.suffix if is_one_file(self.source, self.target) else self.naming.suffix
        if suffix.lower() in WRITABLE_SUFFIXES:
            self.encoding.require(suffix, self.keep_alpha, self.keep_exif)
        planned = plan(self.source, self.target, self.naming, self.results)
        jobs = planned.jobs if self.shard is None else self.shard.of(planned.jobs)
        if self.arrange is not None:
            jobs = [self.arrange(job) for job in jobs]
        decisive = dict(settings or {}) | {
            "seed": self.seed,
            "quality": self.encoding.quality,
            "bit depth": self.encoding.bit_depth,
            "alpha": "keep" if self.keep_alpha else "white",
            "exif": self.keep_exif,
        }
        origin = Origin(self.command, None if model is None else model_hash(model), decisive)
        manifest = Manifest.beside(self.source, self.record or self.target, self.shard)
        different = manifest.difference_of_others(jobs, origin) if self.uniform else None
        if different is not None:
            raise UserError(
                f"{manifest.folder}: holds others that were made otherwise ({different}), and would be a mixture; "
                "choose another folder, or remove them"
            )
        notes = {"model folder": None if model is None else str(model), "in": str(self.source)}
        store = Store(manifest, origin, self.encoding, self.keep_alpha, self.keep_exif, notes)
        with tqdm(total=len(jobs), desc=self.command, unit=" image", disable=None) as bar:
            outcome = self._apply(jobs, work, store, bar)
        problems = planned.problems + outcome.problems
        if problems and not outcome.written and not outcome.skipped:
            raise UserError(f"{self.source}: no image could be used, {len(problems)} tried; the first: {problems[0]}")
        done = "1 image done" if outcome.written == 1 else f"{outcome.written} images done"
        were = "was" if outcome.skipped == 1 else "were"
        there = f", {outcome.skipped} {were} there already" if outcome.skipped else ""
        typer.echo(f"{done}{there}; results in {self.record or self.target}")
        planned.problems[:] = problems
        return planned

    def _apply(self, jobs: "Sequence[Job]", work: "Work", store: "Store", bar: Any) -> "Outcome":
        """Work through the images, here or on a cluster."""
        if self.cluster is not None:
            from flowkit_deflow.app.ray_data import apply_by_ray

            return apply_by_ray(
                jobs,
                work,
                store,
                self.cluster,
                seed=self.seed,
                overwrite=self.overwrite,
                strict=self.strict,
                progress=bar.update,
            )
        from flowkit_deflow.app.apply import apply_to_images

        return apply_to_images(
            jobs,
            work,
            store,
            seed=self.seed,
            workers=self.workers,
            overwrite=self.overwrite,
            strict=self.strict,
            progress=bar.update,
            within=lambda share: bar.set_postfix_str(f"{share:.0%} of the next"),
        )


def require_sensible(temperature: float, force: bool) -> None:
    """Refuse temperatures that make no sense.

    Raises:
        UserError: it is not finite, negative, or above :data:`HIGHEST_TEMPERATURE` without ``force``.

    Examples:
        >>> require_sensible(30.0, force=False)
        Traceback (most recent call last):
        ...
        flowkit_deflow.errors.UserError: --temperature 30.0: 1 is as learned, and above 3 ...
    """
    from flowkit_deflow.images.checks import require_temperature

    try:
        require_temperature(temperature)
    except ValueError as error:
        raise UserError(f"--temperature: {error}") from None
    if temperature > HIGHEST_TEMPERATURE and not force:
        raise UserError(
            f"--temperature {temperature}: 1 is as learned, and above {HIGHEST_TEMPERATURE:g} results have little to "
            "do with it; give --force if you mean it"
        )


def usable_device(name: str) -> "torch.device":
    """The device of a name; ``auto`` is a GPU where there is one.

    Raises:
        UserError: it cannot be used here.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        # Some devices, like meta, are there and keep no values.
        there = torch.zeros(1, device=name)
        there.item()
        return there.device
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UserError(
            f"--device {name!r} cannot be used here ({str(error).splitlines()[0]}); try --device cpu"
        ) from None
