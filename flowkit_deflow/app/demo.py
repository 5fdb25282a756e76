"""``deflow demo``: the whole method on photographs that ship inside scikit-image."""

import math
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import torch
import typer
from matplotlib.figure import Figure
from pytorch_lightning.callbacks import Timer
from torch import Tensor

from flowkit_deflow.app.demo_data import HELD_OUT, write_photographs
from flowkit_deflow.app.report.page import Section, paragraph, picture, table, write_page
from flowkit_deflow.app.report.run_report import evaluation_section, training_sections
from flowkit_deflow.app.report.strips import draw_strips
from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.evaluation import Evaluation, evaluate
from flowkit_deflow.evaluation.metrics.psnr import psnr
from flowkit_deflow.evaluation.table import format_table
from flowkit_deflow.files import atomic_path
from flowkit_deflow.images.image_files import read_image, write_image
from flowkit_deflow.images.middle import middle
from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.settings.presets import preset
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.checkpoint_io import last_checkpoint, steps_of
from flowkit_deflow.training.conditioning.settings import resolve_conditioning
from flowkit_deflow.training.data import UnpairedCrops
from flowkit_deflow.training.model_choice import ModelChoice
from flowkit_deflow.training.trainer import train

__all__ = ["run_demo"]

TEMPERATURES = (0.5, 1.0, 1.5)
TIMED_STEPS = 11
# Longer training makes the noise worse, as the flow learns to expect it: docs/explanation/what-deflow-learns.md.
MOST_STEPS = 1200
FEWEST_STEPS = 600  # for a model that is worth a look
OVERHEAD = 1.3  # of Lightning's loop, logging and checkpoints over the bare step
SHEET_SIDE = 160  # pixels of each photograph that the contact sheet shows

INTRODUCTION = (
    "Some photographs were cut up like a chessboard. The white squares stayed clean; the black ones went through a "
    "camera with noise that grows with brightness and is correlated between pixels, and through JPEG. From these two "
    "unpaired sets of squares alone, DeFlow learned to degrade a clean photograph. Below are photographs that it "
    "never saw."
)

GOALS = (
    ("noise standard deviation, generated / real", "overall_std_ratio", ".3f", "0.8 to 1.2"),
    ("lag-1 autocorrelation, generated - real", "lag1_difference", "+.3f", "-0.15 to 0.15"),
    ("residual KL divergence / that of the best white Gaussian", "kl_ratio", ".3f", "below 0.5"),
    ("the same, given brightness", "conditional_kl_ratio", ".3f", "none set"),
)
"""What the demo aims at: name, the comparison's key, its format, and the aim."""


def run_demo(out: Path, seed: int = 0, minutes: float = 4.5) -> Path:
    """Degrade photographs, learn the degradation unpaired, and judge what was learned on held-out photographs.

    Writes ``data/``, ``run/`` (with the model in ``run/model``), ``generated/``, ``restored/`` and ``report.html``
    with its pictures.

    Args:
        out: folder to write to.
        seed: of the camera's noise, the training and the samples.
        minutes: most time for training, of 1,200 steps or as many as this machine makes in that time.

    Returns:
        The report.

    Raises:
        UserError: the folder holds a demo already, or scikit-image is missing.

    See Also:
        The command ``deflow demo``.
    """
    if (out / "run").exists():
        raise UserError(f"{out}: holds a demo already; remove it, or choose another folder with --out")
    begun = time.monotonic()
    typer.echo("1/3  writing photographs, half of their squares degraded by a camera that the model knows nothing of")
    data = out / "data"
    write_photographs(data, seed)
    run = preset("small")
    run = replace(
        run,
        data=replace(run.data, clean=str(data / "clean"), degraded=str(data / "degraded")),
        training=replace(run.training, seed=seed),
    )
    run, conditioning = resolve_conditioning(run)
    typer.echo(f"     {conditioning}")
    seconds = _seconds_per_step(run)
    steps = min(max(int(60 * minutes / seconds), 20), MOST_STEPS)
    run = replace(run, training=replace(run.training, steps=steps, image_every=0))
    typer.echo(f"2/3  training for {steps} steps, about {steps * seconds / 60:.1f} minutes")
    if steps < FEWEST_STEPS:
        typer.echo(
            f"     few: a step takes {seconds:.2g} s here, perhaps since other programs hold the cores, and what is "
            f"learned will be poor; --minutes {math.ceil(MOST_STEPS * seconds / 60)} would do for {MOST_STEPS} steps"
        )
    # Should the machine slow down meanwhile, the clock ends the training.
    model, _ = train(run, out / "run", callbacks=[Timer(timedelta(minutes=1.1 * minutes))])
    typer.echo("3/3  degrading and restoring photographs that the model never saw")
    page = out / "report.html"
    result = _judge(model, out, seed)
    typer.echo(format_table(result))
    reached = [*_reached(result), ("PSNR of the photographs that it restored (dB)", _restored(model, out), "over 31")]
    sheet = out / "contact_sheet.png"
    with atomic_path(sheet) as temporary:
        _contact_sheet(model, data / "held_out", seed).savefig(temporary, dpi=110)
    shown = picture(sheet, "clean, really degraded, samples and restored photographs", page)
    steps = steps_of(last_checkpoint(out / "run"))
    took = paragraph(
        f"{steps} steps of {run.training.batch} crops of {run.data.crop} x {run.data.crop} pixels; "
        f"{(time.monotonic() - begun) / 60:.1f} minutes in all. The model is in run/model. "
        f"{ModelChoice.read(out / 'run') or ''}"
    )
    sections = [
        Section("Measured on the held-out photographs", table(("figure", "reached", "aim"), reached) + took),
        evaluation_section("All figures", result, out, page),
        *training_sections(out / "run", run, page),
    ]
    return write_page(page, "A degradation learned without pairs", paragraph(INTRODUCTION) + shown, sections)


def _seconds_per_step(run: Run) -> float:
    """Time of an optimiser step and of its batch on this machine, measured on a model that is thrown away.

    The worker that makes the batches takes its time from the same cores: the two times add up.
    """
    torch.manual_seed(0)
    model = DeFlow(run.architecture)
    crops = UnpairedCrops(run.data, run.architecture, run.training.batch, run.training.seed)
    model.initialize(crops[0]["images"], crops[0]["domain"])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.0)
    times = []
    for step in range(TIMED_STEPS):
        begun = time.monotonic()
        batch = crops[step + 1]
        loss = -model.log_prob(batch["images"], batch["domain"]).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        times.append(time.monotonic() - begun)
    # The lower quartile: what else ran meanwhile is not to cost the whole training its steps.
    return OVERHEAD * sorted(times)[TIMED_STEPS // 4]


def _judge(model: DeFlow, out: Path, seed: int) -> Evaluation:
    held_out = out / "data" / "held_out"
    for name in HELD_OUT:
        clean = read_image(held_out / "clean" / f"{name}.png")
        version = model.degrade(clean[None], noise=SeededNoise(seed, name), tile=256)[0]
        write_image(out / "generated" / f"{name}.png", version)
    return evaluate(out / "generated", held_out / "degraded", held_out / "clean")


def _restored(model: DeFlow, out: Path) -> str:
    """The PSNR to which the model restores the degraded photographs, beside that which they have."""
    held_out = out / "data" / "held_out"
    before, after = [], []
    for name in HELD_OUT:
        clean, degraded = (read_image(held_out / kind / f"{name}.png")[None] for kind in ("clean", "degraded"))
        version = model.restore(degraded, temperature=0.0, tile=256)
        write_image(out / "restored" / f"{name}.png", version[0])
        before.append(psnr(degraded, clean))
        after.append(psnr(version, clean))
    return f"{torch.cat(after).mean():.1f}, degraded {torch.cat(before).mean():.1f}"


def _reached(result: Evaluation) -> Iterator[tuple[str, str, str]]:
    """Name, value and aim of what the demo aims at."""
    reached = result.values["comparison"]
    for name, key, digits, aim in GOALS:
        yield name, format(float(reached[key]), digits), aim


def _contact_sheet(model: DeFlow, held_out: Path, seed: int) -> Figure:
    """A row for each held-out photograph: clean, really degraded, samples at three temperatures, restored."""
    return draw_strips([_versions(model, held_out, name, seed) for name in HELD_OUT])


def _versions(model: DeFlow, held_out: Path, name: str, seed: int) -> Mapping[str, Tensor]:
    clean, degraded = (
        middle(read_image(held_out / kind / f"{name}.png"), SHEET_SIDE) for kind in ("clean", "degraded")
    )
    noise = SeededNoise(seed, f"sheet {name}")
    versions = {"clean": clean, "really degraded": degraded}
    for temperature in TEMPERATURES:
        versions[f"sample, T = {temperature:g}"] = model.degrade(clean[None], temperature, noise=noise)[0]
    versions["restored"] = model.restore(degraded[None], temperature=0.0)[0]
    return versions
