"""Draws an evaluation: generated noise beside real noise, in four pictures."""

from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter
from numpy.typing import NDArray

from flowkit_deflow.evaluation.evaluation import Evaluation
from flowkit_deflow.evaluation.statistics import (
    BRIGHTNESS_CENTRES,
    FREQUENCIES,
    MAX_LAG,
    MINIMUM_BIN_PIXELS,
    RESIDUAL_CENTRES,
    ResidualStatistics,
    white_gaussian_histogram,
)
from flowkit_deflow.files import atomic_path

__all__ = ["plot_evaluation"]

Array = NDArray[np.float64]

# Okabe and Ito's palette: told apart with every common colour blindness, and by their darkness in print.
_REAL: dict[str, Any] = {"color": "#0072B2", "label": "real", "marker": "o", "markersize": 4}
_GENERATED: dict[str, Any] = {"color": "#D55E00", "label": "generated", "marker": "s", "markersize": 4}
_WHITE: dict[str, Any] = {"color": "#555555", "label": "white Gaussian", "linestyle": "--"}
_CHANNEL_NAMES = ("red", "green", "blue")


def plot_evaluation(evaluation: Evaluation, folder: Path) -> list[Path]:
    """Draw the four pictures of an evaluation as PNG files.

    Args:
        evaluation: what to draw.
        folder: where to write `std_vs_brightness.png`, `autocorrelation.png`, `spectrum.png` and
            `histogram.png`; it is created, and files of these names are replaced.

    Returns:
        The four paths.

    Raises:
        UserError: a file cannot be written.
    """
    figures = {
        "std_vs_brightness.png": _std_vs_brightness(evaluation),
        "autocorrelation.png": _autocorrelation(evaluation),
        "spectrum.png": _spectrum(evaluation),
        "histogram.png": _histogram(evaluation),
    }
    paths = []
    for name, figure in figures.items():
        path = folder / name
        with atomic_path(path) as temporary:
            figure.savefig(temporary, dpi=120, format="png")
        paths.append(path)
    return paths


def _residual_name(evaluation: Evaluation) -> str:
    return "degraded - clean" if evaluation.against_clean else "degraded - smoothed degraded"


def _tidy(axes: Axes) -> None:
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(visible=True, color="#DDDDDD", linewidth=0.6)
    axes.set_axisbelow(True)


def _std_vs_brightness(evaluation: Evaluation) -> Figure:
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for statistics, style in ((evaluation.real, _REAL), (evaluation.generated, _GENERATED)):
        # A spread measured on a handful of pixels would draw an outlier that means nothing.
        measured = statistics.brightness_pixels >= MINIMUM_BIN_PIXELS
        axes.plot(255 * BRIGHTNESS_CENTRES[measured], 255 * statistics.brightness_std[measured], **style)
    axes.axhline(255 * evaluation.real.overall_std, **_WHITE)
    axes.set(
        title="Strength of the noise against brightness",
        xlabel=f"brightness of the {'clean' if evaluation.against_clean else 'smoothed'} image [8-bit grey levels]",
        ylabel=f"std of {_residual_name(evaluation)} [grey levels]",
        xlim=(0, 255),
        xticks=range(0, 257, 32),
    )
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)
    _tidy(axes)
    return figure


def _autocorrelation(evaluation: Evaluation) -> Figure:
    figure = Figure(figsize=(12, 4), layout="constrained")
    panels = figure.subplots(1, 3, width_ratios=(1, 1, 1.35))
    pair = (evaluation.real.autocorrelation, evaluation.generated.autocorrelation)
    # Lag (0, 0) is 1 by definition: it is left out so that the colours serve the lags that differ.
    shown = [autocorrelation.copy() for autocorrelation in pair]
    for autocorrelation in shown:
        autocorrelation[0, 0] = np.nan
    measured = np.abs(np.concatenate([autocorrelation.ravel() for autocorrelation in shown]))
    limit = max(0.05, float(np.max(measured, where=np.isfinite(measured), initial=0.0)))
    for axes, autocorrelation, name in zip(panels[:2], shown, ("Real", "Generated"), strict=True):
        axes.set_facecolor("#BBBBBB")
        image = axes.imshow(autocorrelation, cmap="PuOr_r", vmin=-limit, vmax=limit)
        axes.set(
            title=f"{name} (lag 1: {autocorrelation[[0, 1], [1, 0]].mean():.3f})",
            xlabel="lag to the right [pixels]",
            ylabel="lag down [pixels]",
            xticks=range(0, MAX_LAG + 1, 2),
            yticks=range(0, MAX_LAG + 1, 2),
        )
    figure.colorbar(image, ax=list(panels[:2]), shrink=0.8).set_label("autocorrelation\n(grey: 1 or not measured)")
    lags = np.arange(MAX_LAG + 1)
    for autocorrelation, style in zip(pair, (_REAL, _GENERATED), strict=True):
        panels[2].plot(lags, autocorrelation[0], **{**style, "label": f"{style['label']}, to the right"})
        panels[2].plot(
            lags,
            autocorrelation[:, 0],
            **{**style, "label": f"{style['label']}, down", "linestyle": ":", "markerfacecolor": "white"},
        )
    panels[2].plot(lags, lags == 0, **_WHITE)
    panels[2].set(title="Along the axes", xlabel="lag [pixels]", ylabel="autocorrelation", xticks=lags)
    panels[2].legend(frameon=False)
    _tidy(panels[2])
    figure.suptitle(f"Grain: spatial autocorrelation of {_residual_name(evaluation)}")
    return figure


def _spectrum(evaluation: Evaluation) -> Figure:
    figure = Figure(figsize=(7, 4.5), layout="constrained")
    axes = figure.subplots()
    for statistics, style in ((evaluation.real, _REAL), (evaluation.generated, _GENERATED)):
        axes.plot(FREQUENCIES, _positive(255**2 * statistics.spectrum), **style)
    if evaluation.real.overall_std > 0:
        axes.axhline((255 * evaluation.real.overall_std) ** 2, **_WHITE)
    axes.set(
        title=f"Radially averaged power spectrum\n{_residual_name(evaluation)}",
        xlabel="spatial frequency [cycles per pixel]",
        ylabel="power (mean over frequencies: variance)\n[squared grey levels]",
        yscale="log",
        xlim=(0, 0.5),
    )
    # Noise rarely spans a decade: powers of ten alone would leave the axis without numbers.
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7)))
    axes.yaxis.set_major_formatter(ScalarFormatter())
    axes.yaxis.set_minor_formatter(NullFormatter())
    axes.legend(frameon=False)
    _tidy(axes)
    return figure


def _histogram(evaluation: Evaluation) -> Figure:
    figure = Figure(figsize=(11, 4), layout="constrained")
    panels = figure.subplots(1, 3, sharex=True, sharey=True)
    white = white_gaussian_histogram(evaluation.real) / evaluation.real.pixels
    real, generated = (_shares(statistics) for statistics in (evaluation.real, evaluation.generated))
    levels = 255 * RESIDUAL_CENTRES
    seen = np.flatnonzero((real + generated).sum(0))
    reach = max(4, int(np.abs(levels[seen]).max()))
    # Half a pixel of the smaller set: below it, only the Gaussian would be drawn.
    floor = 0.5 / min(evaluation.real.pixels, evaluation.generated.pixels)
    for channel, axes in enumerate(panels):
        # Both sets often agree so well that lines would hide each other: an area and a line do not.
        axes.fill_between(
            levels, floor, real[channel].clip(floor), step="mid", color=_REAL["color"], alpha=0.4, lw=0, label="real"
        )
        axes.step(
            levels, generated[channel].clip(floor), where="mid", color=_GENERATED["color"], lw=1.2, label="generated"
        )
        axes.plot(levels, _positive(white[channel]), **_WHITE)
        axes.set(
            title=_CHANNEL_NAMES[channel],
            xlabel=f"{_residual_name(evaluation)} [grey levels]",
            yscale="log",
            xlim=(-reach - 1, reach + 1),
            ylim=(floor, 2),
        )
        _tidy(axes)
    panels[0].set_ylabel("share of pixels per grey level")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=3, frameon=False)
    figure.suptitle(
        f"Distribution of the noise: KL(real || generated) {evaluation.kl:.4f} nats, "
        f"KL(real || white Gaussian) {evaluation.white_kl:.4f} nats"
    )
    return figure


def _positive(values: Array) -> Array:
    # A logarithmic axis has no place for zero: NaN leaves a gap instead of a line to the bottom.
    return np.where(values > 0, values, np.nan)


def _shares(statistics: ResidualStatistics) -> Array:
    return statistics.histogram / statistics.pixels
