"""The course of a training, drawn."""

from pathlib import Path
from typing import Any

import torch
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from flowkit_deflow.training.monitors.history import History

__all__ = ["draw_code_lengths", "draw_monitors"]

# Of Okabe and Ito's palette, told apart with every common colour blindness.
CLEAN, DEGRADED, GENERATED = "#0072B2", "#D55E00", "#009E73"
DOTS: dict[str, Any] = {"marker": "o", "markersize": 3}


def draw_code_lengths(log: Path, history: History) -> Figure:
    """Code length of both domains: running mean over training crops, and of held-out crops.

    Args:
        log: folder of the TensorBoard log.
        history: the monitored steps.
    """
    events = EventAccumulator(str(log))
    events.Reload()
    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    for domain, colour in (("clean", CLEAN), ("degraded", DEGRADED)):
        name = f"bits_{domain}"
        scalars = events.Scalars(name) if name in events.Tags()["scalars"] else []
        if scalars:
            values = torch.tensor([scalar.value for scalar in scalars])
            window = max(len(values) // 20, 1)
            steps = [scalar.step for scalar in scalars][window - 1 :]
            axes.plot(steps, values.unfold(0, window, 1).mean(1), color=colour, label=f"{domain} images")
        _plot(axes, history, name, color=colour, linestyle="none", **DOTS, label=f"{domain}, held out")
    axes.set(xlabel="step", ylabel="bits per dimension", title="Code length of the two domains")
    _finish(axes)
    return figure


def draw_monitors(history: History) -> Figure:
    """What held-out images showed at the monitored steps: domain evidence, saturation, and the shift's covariance."""
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    evidence, saturation, shift = figure.subplots(1, 3)
    for domain, colour in (("clean", CLEAN), ("degraded", DEGRADED)):
        _plot(evidence, history, f"evidence_{domain}", color=colour, **DOTS, label=domain)
        _plot(
            evidence, history, f"expected_evidence_{domain}", color=colour, linestyle="--", label=f"{domain}, expected"
        )
    evidence.set(title="Domain evidence, median", xlabel="step", ylabel="bits per dimension")
    _plot(saturation, history, "saturation", color=GENERATED, **DOTS)
    saturation.axhline(1, color="#555555", linestyle="--")
    saturation.set(title="Latent saturation", xlabel="step", ylabel="excess of 4 times the noise, over that of it")
    for kind, colour in (("mean", CLEAN), ("largest", DEGRADED)):
        _plot(shift, history, f"shift_{kind}_eigenvalue", color=colour, **DOTS, label=kind)
    shift.set(title="Eigenvalues of the shift's covariance", xlabel="step", yscale="log")
    for axes in (evidence, saturation, shift):
        _finish(axes)
    return figure


def _plot(axes: Axes, history: History, name: str, **style: Any) -> None:
    series = history.series(name)
    if series:
        steps, values = zip(*series, strict=True)
        axes.plot(steps, values, **style)


def _finish(axes: Axes) -> None:
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if axes.get_legend_handles_labels()[0]:
        axes.legend(frameon=False, fontsize="small")
