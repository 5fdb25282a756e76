"""``deflow demo``: the whole method on photographs that ship inside scikit-image."""

import time
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import torch
import typer
from matplotlib.figure import Figure
from pytorch_lightning.callbacks import Timer
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from torch import Tensor

from flowkit_deflow.app.demo_data import HELD_OUT, write_photographs
from flowkit_deflow.app.report import write_report
from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.evaluation import Evaluation, evaluate
from flowkit_deflow.evaluation.json_record import write_json
from flowkit_deflow.evaluation.plots import plot_evaluation
from flowkit_deflow.evaluation.table import format_table
from flowkit_deflow.files import atomic_path
from flowkit_deflow.images.image_files import read_image, write_image
from flowkit_deflow.images.noise import SeededNoise
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.settings.presets import preset
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.data import UnpairedCrops
from flowkit_deflow.training.trainer import train

__all__ = ["run_demo"]

TEMPERATURES = (0.5, 1.0, 1.5)
TIMED_STEPS = 11
OVERHEAD = 1.3  # of Lightning's loop, logging and checkpoints over the bare step
SHEET_SIDE = 160  # pixels of each photograph that the contact sheet shows


def run_demo(out: Path, seed: int = 0, minutes: float = 4.5) -> Path:
    """Degrade photographs, learn the degradation unpaired, and judge what was learned on held-out photographs.

    Writes ``data/``, ``run/`` (with the model in ``run/model``), ``generated/`` and ``report.html`` with its pictures.

    Args:
        out: folder to write to.
        seed: of the camera's noise, the training and the samples.
        minutes: time for training; the steps are counted out by the speed of this machine.

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
    steps = max(int(60 * minutes / _seconds_per_step(run)), 20)
    run = replace(run, training=replace(run.training, steps=steps, image_every=0))
    typer.echo(f"2/3  training for {steps} steps, about {minutes:g} minutes")
    # Should the machine slow down meanwhile, the clock ends the training.
    model, _ = train(run, out / "run", callbacks=[Timer(timedelta(minutes=1.1 * minutes))])
    typer.echo("3/3  degrading and restoring photographs that the model never saw")
    result = _judge(model, out, seed)
    typer.echo(format_table(result))
    pictures = {
        "contact_sheet.png": _contact_sheet(model, data / "held_out", seed),
        "training.png": _training_curves(out / "run" / "log"),
    }
    for name, figure in pictures.items():
        with atomic_path(out / name) as temporary:
            figure.savefig(temporary, dpi=110)
    plot_evaluation(result, out)
    return write_report(out / "report.html", result, run, seconds=time.monotonic() - begun)


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
    result = evaluate(out / "generated", held_out / "degraded", held_out / "clean")
    write_json(out / "evaluation.json", result)
    return result


def _contact_sheet(model: DeFlow, held_out: Path, seed: int) -> Figure:
    """A row for each held-out photograph: clean, really degraded, samples at three temperatures, restored."""
    rows = [_versions(model, held_out, name, seed) for name in HELD_OUT]
    columns = len(rows[0])
    figure = Figure(figsize=(2.3 * columns, 2.45 * len(rows)), layout="constrained")
    axes = figure.subplots(len(rows), columns, squeeze=False)
    for line, row in zip(axes, rows, strict=True):
        for axis, (title, image) in zip(line, row.items(), strict=True):
            axis.imshow(image.permute(1, 2, 0).numpy(), interpolation="nearest")
            axis.set_title(title, fontsize=10)
            axis.set_axis_off()
    return figure


def _versions(model: DeFlow, held_out: Path, name: str, seed: int) -> Mapping[str, Tensor]:
    clean, degraded = (_middle(read_image(held_out / kind / f"{name}.png")) for kind in ("clean", "degraded"))
    noise = SeededNoise(seed, f"sheet {name}")
    versions = {"clean": clean, "really degraded": degraded}
    for temperature in TEMPERATURES:
        versions[f"sample, T = {temperature:g}"] = model.degrade(clean[None], temperature, noise=noise)[0]
    versions["restored"] = model.restore(degraded[None], temperature=0.0, noise=noise)[0]
    return versions


def _middle(image: Tensor) -> Tensor:
    top, left = ((size - SHEET_SIDE) // 2 for size in image.shape[-2:])
    return image[:, top : top + SHEET_SIDE, left : left + SHEET_SIDE]


def _training_curves(log: Path) -> Figure:
    events = EventAccumulator(str(log))
    events.Reload()
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axis = figure.subplots()
    for name, label in (("bits_clean", "clean images"), ("bits_degraded", "degraded images")):
        scalars = events.Scalars(name)
        values = torch.tensor([scalar.value for scalar in scalars])
        window = max(len(values) // 20, 1)
        smooth = values.unfold(0, window, 1).mean(1)
        axis.plot([scalar.step for scalar in scalars][window - 1 :], smooth, label=label)
    axis.set_xlabel("step")
    axis.set_ylabel("bits per dimension")
    axis.set_title("Code length of the two domains, running mean")
    axis.legend()
    axis.grid(alpha=0.3)
    return figure
