"""``deflow metrics``."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from flowkit_deflow.app.image_task import usable_device
from flowkit_deflow.app.left_out import other_files, report_problems
from flowkit_deflow.app.options import Device, Strict
from flowkit_deflow.errors import UserError

if TYPE_CHECKING:
    from flowkit_deflow.evaluation.metrics.metric import Metric
    from flowkit_deflow.evaluation.metrics.metric_files import MetricFiles

__all__ = ["judged", "metrics", "require_files"]


def metrics(
    images: Annotated[Path, typer.Argument(metavar="IMAGES", help="An image, or a folder tree of images.")],
    reference: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Folder of the images that they should be, by the same names.")
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(help="psnr, ssim, niqe, ...; repeatable. [default: all that can be computed]"),
    ] = None,
    border: Annotated[int, typer.Option(min=0, help="Pixels to cut off on each side, against a reference.")] = 0,
    metric_files: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Folder of published weights and models. [default: $DEFLOW_METRICS]"),
    ] = None,
    download: Annotated[
        bool, typer.Option("--download", help="Get LPIPS's weights from torchvision and LPIPS, if they are not there.")
    ] = False,
    out: Annotated[Path | None, typer.Option(metavar="FILE.json", help="File to write all values to.")] = None,
    device: Device = "auto",
    strict: Strict = False,
) -> None:
    """Judge images by PSNR, SSIM, LPIPS, NIQE, BRISQUE and PIQE."""
    problems = judged(images, reference, metric, border, metric_files, out, device, strict, download)
    report_problems(problems, other_files(images))


def judged(
    images: Path,
    reference: Path | None,
    metric: list[str] | None,
    border: int,
    metric_files: Path | None,
    out: Path | None,
    device: str,
    strict: bool,
    download: bool = False,
) -> list[str]:
    """Print the table and write the file; a message for each image that could not be measured."""
    import json

    from tqdm import tqdm

    from flowkit_deflow.evaluation.metrics.metric_files import MetricFiles
    from flowkit_deflow.evaluation.metrics.published_files import ALEX, VGG
    from flowkit_deflow.evaluation.metrics.published_files import download as fetch
    from flowkit_deflow.evaluation.metrics.score_table import format_scores, scores_to_json
    from flowkit_deflow.evaluation.metrics.scores import score_images
    from flowkit_deflow.files import require_target, write_text

    if out is not None:
        require_target(out)
    if metric_files is not None and not metric_files.is_dir() and not download:
        raise UserError(f"--metric-files {metric_files}: is no folder; check the path")
    files = MetricFiles.usual() if metric_files is None else MetricFiles(metric_files)
    if download:
        for source in (ALEX, VGG):
            fetch(source, files)
    chosen = _named(metric, reference, "--reference") if metric else _available(_possible(reference), files)
    place = usable_device(device)
    with tqdm(desc="metrics", unit=" image", disable=None) as bar:
        result = score_images(
            images, reference, chosen, files, border=border, device=place, strict=strict, progress=bar.update
        )
    typer.echo(format_scores(result.scores))
    if out is not None:
        root = images if images.is_dir() else images.parent
        write_text(out, json.dumps(scores_to_json(result.scores, root), indent=2) + "\n")
    return list(result.problems)


def require_files(names: list[str], clean: Path | None) -> None:
    """Check the metrics that an evaluation will take, and their published files, before images are restored for it.

    Args:
        names: of metrics; none for all that can be computed, which leaves those out whose files are not there.
        clean: the folder of references, if there is one.

    Raises:
        UserError: a metric is unknown, lacks references or its file, or a file is damaged.
    """
    from flowkit_deflow.evaluation.metrics.metric_files import MetricFiles, MissingFileError

    files = MetricFiles.usual()
    for entry in _named(names, clean, "--clean") if names else _possible(clean):
        try:
            entry.load(files)
        except MissingFileError:
            if names:
                raise


def _named(names: list[str], reference: Path | None, option: str) -> "list[Metric]":
    """The metrics of some names, if there are references, named by an option, for those that need them."""
    from flowkit_deflow.evaluation.metrics.registry import named_metrics

    chosen = list(named_metrics(names))
    for entry in chosen:
        if entry.needs_reference and reference is None:
            raise UserError(f"metric {entry.key!r} compares with references; name their folder with {option}")
    return chosen


def _possible(reference: Path | None) -> "list[Metric]":
    from flowkit_deflow.evaluation.metrics.registry import METRICS

    return [entry for entry in METRICS.values() if reference is not None or not entry.needs_reference]


def _available(metrics: "list[Metric]", files: "MetricFiles") -> "list[Metric]":
    """Those whose published files are there; of the others it is told what they need."""
    from flowkit_deflow.evaluation.metrics.metric_files import MissingFileError

    available = []
    for entry in metrics:
        try:
            entry.load(files)
        except MissingFileError as missing:
            typer.echo(f"Left out: {missing}", err=True)
        else:
            available.append(entry)
    return available
