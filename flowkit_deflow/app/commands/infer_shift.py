"""``deflow infer-shift``."""

import re
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowkit_deflow.app.image_task import usable_device
from flowkit_deflow.app.left_out import other_files, report_problems
from flowkit_deflow.app.options import Device, ModelFolder, Strict
from flowkit_deflow.errors import UserError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flowkit_deflow.settings.schema import Architecture, Data
    from flowkit_deflow.training.data import Batch

__all__ = ["infer_shift"]

BATCH = 16
SMALLEST_CROP = 64


def infer_shift(
    model: ModelFolder,
    clean: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of clean images.")] = None,
    degraded: Annotated[Path | None, typer.Option(metavar="DIR", help="Folder of degraded images.")] = None,
    classes: Annotated[
        str | None,
        typer.Option(
            metavar="BxC", help="Bins of brightness and of contrast. [default: 6x3; 1x1 for a model without h]"
        ),
    ] = None,
    grain: Annotated[
        bool | None,
        typer.Option(
            "--grain/--no-grain",
            help="Add noise of one spectrum everywhere: what generated images lack at flat places. [default: as MODEL]",
        ),
    ] = None,
    out: Annotated[Path | None, typer.Option(metavar="OTHER", help="Model folder to write. [default: MODEL]")] = None,
    config: Annotated[
        Path | None, typer.Option(metavar="RUN.yaml", help="Settings whose data section says how crops are made.")
    ] = None,
    seed: Annotated[int, typer.Option(help="Decides which crops are looked at.")] = 0,
    device: Device = "auto",
    strict: Strict = False,
) -> None:
    """Measure a trained or converted model's latent shift anew, per class of brightness and contrast.

    The flow stays as it is. What the model adds to images then follows how strong the degradation is in places of
    each class, as two unrelated folders of clean and of degraded images show it. With grain, what is still lacking at
    flat places is added everywhere.
    """
    from flowkit_deflow.method.binning import with_binned_shifts
    from flowkit_deflow.method.model import DeFlow
    from flowkit_deflow.training.grain_inference import MOST_IMAGES, infer_grain
    from flowkit_deflow.training.paired_crops import crops_of
    from flowkit_deflow.training.shift_inference import BATCHES, infer_shifts

    place = usable_device(device)
    source = DeFlow.from_pretrained(model)
    architecture = source.config
    crops = crops_of(_data(architecture, clean, degraded, config, strict), architecture, BATCH, seed)
    if grain and crops.data.pairs:
        raise UserError(
            "--grain: with pairs the shift is measured on their differences, and there is no grain; leave it out"
        )
    binned = with_binned_shifts(source, _classes(classes, architecture), grain).to(place)
    problems = list(crops.problems)

    def batches() -> "Iterator[Batch]":
        for step in range(BATCHES):
            batch = crops[step]
            problems.extend(problem for problem in batch["problems"] if problem not in problems)
            yield batch

    infer_shifts(binned, batches, crops.data.pairs)
    if not crops.data.pairs:
        infer_grain(binned, partial(crops.whole_images, most=MOST_IMAGES), seed)
    target = out or model
    binned.cpu().save_pretrained(target)
    bright, contrast = binned.config.shift_classes
    typer.echo(f"The shift was measured in {bright} x {contrast} classes of places; the model is in {target}")
    if binned.grain is not None and not crops.data.pairs:
        typer.echo(f"Measured at flat places, on top of the shift: {binned.grain.in_words}.")
    report_problems(problems, other_files(crops.data.clean, crops.data.degraded))


def _classes(text: str | None, architecture: "Architecture") -> tuple[int, int]:
    has_h = architecture.h_factor is not None
    if text is None:
        return (6, 3) if has_h else (1, 1)
    found = re.fullmatch(r"([1-9]\d?)x([1-9]\d?)", text)
    if found is None:
        raise UserError(f"--classes {text!r}: expected two numbers from 1 to 99, like 6x3")
    classes = int(found[1]), int(found[2])
    if not has_h and classes != (1, 1):
        raise UserError(
            f"--classes {text}: this model is not conditioned on h, by which places are told apart; leave it out to "
            "measure all places together"
        )
    return classes


def _data(
    architecture: "Architecture", clean: Path | None, degraded: Path | None, config: Path | None, strict: bool
) -> "Data":
    from flowkit_deflow.settings.config_file import read_config
    from flowkit_deflow.settings.schema import Data, Run

    side = -(-SMALLEST_CROP // architecture.alignment) * architecture.alignment
    data = Data(crop=side) if config is None else read_config(Run, config).data
    return replace(
        data,
        clean=data.clean if clean is None else str(clean),
        degraded=data.degraded if degraded is None else str(degraded),
        strict=data.strict or strict,
    )
