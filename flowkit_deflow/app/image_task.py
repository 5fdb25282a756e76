"""What the commands that make images of images have in common."""

import sys
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from flowkit_deflow.errors import UserError

if TYPE_CHECKING:  # heavy imports wait until a command runs: --help answers at once
    import torch
    from torch import Tensor

    from flowkit_deflow.images.noise import SeededNoise

__all__ = ["ImageTask", "report_problems", "usable_device"]


@dataclass(frozen=True)
class ImageTask:
    """Images to read, and where and how to write what becomes of them.

    Attributes:
        source: an image or a folder tree of them.
        target: where to write.
        format: image format of the results.
        samples: versions of each image; ``None`` for one.
        seed: what the random numbers depend on, besides each image's path.
        workers: threads that read and write.
        overwrite: work on images whose results are there too.
        strict: stop at the first unreadable image.
        results: folder of results, should it be another than ``target``.
    """

    source: Path
    target: Path
    format: str
    samples: int | None = None
    seed: int = 0
    workers: int = 2
    overwrite: bool = False
    strict: bool = False
    results: Path | None = None

    def run(
        self,
        function: "Callable[[Tensor, SeededNoise], Iterable[Tensor]]",
        title: str,
        device: "torch.device | None" = None,
        endings: Iterable[str] = (),
    ) -> None:
        """Work through the images with a progress bar, and say what was done.

        Args:
            function: from a batch of one image on ``device`` and its source of randomness to a batch of one for each
                result.
            title: of the progress bar.
            device: where the images go; ``None`` for the CPU.
            endings: further files per image.

        Raises:
            UserError: a result cannot be written, or no image could be read.
        """
        from tqdm import tqdm

        from flowkit_deflow.app.apply import apply_to_images, plan

        def on_one(image: "Tensor", noise: "SeededNoise") -> "list[Tensor]":
            return [version[0].cpu() for version in function(image[None].to(device), noise)]

        suffix = f".{self.format.lower().removeprefix('.')}"
        jobs = plan(self.source, self.target, self.samples, suffix, endings, self.results)
        with tqdm(total=len(jobs), desc=title, unit=" image", disable=None) as bar:
            outcome = apply_to_images(
                jobs,
                on_one,
                seed=self.seed,
                workers=self.workers,
                overwrite=self.overwrite,
                strict=self.strict,
                progress=bar.update,
            )
        if outcome.problems and not outcome.written and not outcome.skipped:
            raise UserError(
                f"{self.source}: no image could be read, {len(jobs)} tried; the first: {outcome.problems[0]}"
            )
        there = f", {outcome.skipped} were there already" if outcome.skipped else ""
        typer.echo(f"{outcome.written} images done{there}; results in {self.target}")
        report_problems(outcome.problems)


def report_problems(problems: Sequence[str]) -> None:
    """List images that were left out, on standard error."""
    if problems:
        sys.stderr.write(f"{len(problems)} images were left out:\n")
        for problem in problems:
            sys.stderr.write(f"  {problem}\n")


def usable_device(name: str) -> "torch.device":
    """The device of a name; ``auto`` is a GPU where there is one.

    Raises:
        UserError: it cannot be used here.
    """
    import torch

    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise UserError(
            f"--device {name!r} cannot be used here ({str(error).splitlines()[0]}); try --device cpu"
        ) from None
