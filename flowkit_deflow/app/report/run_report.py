"""The report on any run."""

from pathlib import Path

import torch
from matplotlib.figure import Figure

from flowkit_deflow.app.report.curves import draw_code_lengths, draw_monitors
from flowkit_deflow.app.report.page import Section, folded, paragraph, picture, preformatted, table, write_page
from flowkit_deflow.app.report.strips import draw_strips
from flowkit_deflow.app.report.versions import Versions, degrade_files, degrade_held_out
from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.evaluation import Evaluation, evaluate
from flowkit_deflow.evaluation.json_record import write_json
from flowkit_deflow.evaluation.partners import partnered
from flowkit_deflow.evaluation.plots import plot_evaluation
from flowkit_deflow.evaluation.table import format_table
from flowkit_deflow.files import atomic_path, require_target
from flowkit_deflow.images.image_files import list_images, read_image
from flowkit_deflow.images.middle import middle
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.settings.text import read_run, to_yaml
from flowkit_deflow.training.checkpoint_io import (
    last_checkpoint,
    model_of_run,
    monitored_steps,
    steps_of,
)
from flowkit_deflow.training.model_choice import ModelChoice
from flowkit_deflow.training.monitors.history import History
from flowkit_deflow.training.monitors.table import findings
from flowkit_deflow.training.paired_crops import crops_of

__all__ = ["evaluation_section", "report_run", "training_sections"]

ROWS = 4
STRIP = 128  # pixels


def report_run(
    folder: Path,
    out: Path,
    clean: Path | None = None,
    degraded: Path | None = None,
    *,
    seed: int = 0,
    device: torch.device | None = None,
) -> Path:
    """Report on a run, finished or not: how it went, and what its model makes of images that it never saw.

    Args:
        folder: the run.
        out: folder to write to: ``report.html``, its pictures, the generated images and the evaluations.
        clean: clean images of pairs, for an evaluation with pairs besides the one without.
        degraded: their really degraded partners, by the same names.
        seed: of the generated images.
        device: where to generate them; ``None``: the CPU.

    Returns:
        The page.

    Raises:
        UserError: the folder holds no run, its images are gone, one folder of pairs was given without the other, or an
            image of theirs has no partner.
    """
    if (clean is None) != (degraded is None):
        raise UserError("pairs need both folders; give --clean and --degraded, or neither")
    if clean is not None and degraded is not None:
        # What cannot be paired is told before anything is written.
        partnered(clean, degraded, clean, None)
    require_target(out, folder=True)
    run = read_run(folder / "run.yaml")
    finished = (folder / "model").exists()
    model = DeFlow.from_pretrained(folder / "model") if finished else model_of_run(last_checkpoint(folder))
    model.to(device or "cpu")
    page = out / "report.html"
    sections = [*training_sections(folder, run, page), _held_out_section(model, run, page, seed)]
    if clean is not None and degraded is not None:
        versions = degrade_files(model, clean, degraded, out / "pairs", seed)
        sections.append(_versions_section("Pairs", versions, page, out / "pairs", paired=True))
    return write_page(page, f"DeFlow: the run {folder.resolve().name}", _introduction(folder, run, finished), sections)


def training_sections(folder: Path, run: Run, page: Path) -> list[Section]:
    """How a run's training went: what the monitors say, the curves, the settings.

    Args:
        folder: the run.
        run: its settings.
        page: the page; pictures are written beside it.
    """
    history = History.read(monitored_steps(folder))
    code_lengths = _write(draw_code_lengths(folder / "log", history), page.parent / "training.png")
    curves = picture(code_lengths, "code lengths", page)
    if not history.rows:
        told = paragraph(
            "No images were held out: the training cannot be judged by itself. Images are held out of folders of at "
            "least 8, with data.held_out above 0."
        )
    else:
        rows = [(title, finding.measured, finding.advice or "nothing") for title, finding in findings(history, run)]
        told = table(("of held-out images", "measured", "to do"), rows)
        curves += picture(_write(draw_monitors(history), page.parent / "monitors.png"), "monitors", page)
    return [
        Section("What the training says of itself", told),
        Section("Training", curves),
        Section("Settings", folded("run.yaml", preformatted(to_yaml(run)))),
    ]


def evaluation_section(title: str, result: Evaluation, folder: Path, page: Path) -> Section:
    """An evaluation, with its pictures and its JSON in a folder.

    Args:
        title: of the section.
        result: the evaluation.
        folder: where its files go.
        page: the page.
    """
    write_json(folder / "evaluation.json", result)
    cautions = "".join(paragraph(f"Take care: {caution}") for caution in (*result.cautions, *result.warnings))
    pictures = "".join(picture(path, path.stem, page) for path in plot_evaluation(result, folder))
    return Section(title, cautions + preformatted(format_table(result)) + pictures)


def _introduction(folder: Path, run: Run, finished: bool) -> str:
    training = run.training
    steps = steps_of(last_checkpoint(folder))
    made = f"{steps} steps" if steps == training.steps else f"{steps} of {training.steps} steps"
    text = f"{made} of {training.batch} crops of {run.data.crop} x {run.data.crop} pixels, seed {training.seed}. "
    if not finished:
        return paragraph(f"{text}The training has not ended: this is what it has come to.")
    return paragraph(f"{text}The model is in {folder / 'model'}. {ModelChoice.read(folder) or ''}")


def _held_out_section(model: DeFlow, run: Run, page: Path, seed: int) -> Section:
    crops = crops_of(run.data, model.config, run.training.batch, run.training.seed)
    held_out = crops.from_held_out()
    folder = page.parent / "held_out"
    versions = degrade_held_out(model, held_out or crops, folder, seed)
    title = "Images that were held out" if held_out else "Images that it was trained on (none were held out)"
    return _versions_section(title, versions, page, folder, paired=run.data.pairs)


def _versions_section(title: str, versions: Versions, page: Path, folder: Path, *, paired: bool) -> Section:
    titles = ("clean", "generated", "really degraded" if paired else "really degraded, elsewhere")
    files = [_by_name(kind) for kind in versions]
    names = [name for name in files[0] if all(name in kind for kind in files)]
    rows = [
        {title: middle(read_image(kind[name]), STRIP) for title, kind in zip(titles, files, strict=True)}
        for name in names[:ROWS]
    ]
    strips = picture(_write(draw_strips(rows), folder / "strips.png"), ", ".join(titles), page) if rows else ""
    result = (
        evaluate(versions.generated, versions.degraded, versions.clean)
        if paired
        else evaluate(versions.generated, versions.degraded, source=versions.clean)
    )
    section = evaluation_section(title, result, folder, page)
    return Section(title, strips + section.body)


def _by_name(folder: Path) -> dict[str, Path]:
    return {file.relative_to(folder).with_suffix("").as_posix(): file for file in list_images(folder)}


def _write(figure: Figure, path: Path) -> Path:
    with atomic_path(path) as temporary:
        figure.savefig(temporary, dpi=110)
    return path
