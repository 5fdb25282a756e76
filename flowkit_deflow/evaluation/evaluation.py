"""Compares generated degraded images with real ones: reads both sets, and puts their statistics side by side."""

import json
import math
import re
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.statistics import (
    BRIGHTNESS_BINS,
    MINIMUM_BIN_PIXELS,
    SMALLEST_SSIM_SIDE,
    ResidualAccumulator,
    ResidualStatistics,
    conditional_kl,
    kl_divergence,
    psnr,
    shared_brightness_bins,
    smooth_reference,
    ssim,
    white_gaussian_joint_histogram,
    white_gaussian_kl,
)
from flowkit_deflow.files import write_text
from flowkit_deflow.images.image_files import ImageError, list_images, read_image

__all__ = ["Evaluation", "Fidelity", "evaluate", "table", "to_json", "write_json"]

Array = NDArray[np.float64]
Images = Path | Sequence[Path]

_SAMPLE = re.compile(r"_s\d+$")


@dataclass(frozen=True)
class Fidelity:
    """Closeness to the clean image, over the clean images that have a real and a generated degraded partner.

    Several samples of one clean image are averaged first, so that each clean image weighs the same. Generated
    noise should be as far from the clean image as real noise is: a higher number is not a better one.

    Attributes:
        clean_images: number of such clean images.
        real_psnr: mean PSNR of real against clean, in dB.
        generated_psnr: mean PSNR of generated against clean, in dB.
        real_ssim: mean SSIM of real against clean; NaN if all the images have a side under 11.
        generated_ssim: mean SSIM of generated against clean; NaN likewise.
    """

    clean_images: int
    real_psnr: float
    generated_psnr: float
    real_ssim: float
    generated_ssim: float


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Generated degradations beside real ones.

    Attributes:
        real: statistics of the real residuals.
        generated: statistics of the generated residuals.
        against_clean: true if residuals are against clean images, false if against each image smoothed (see
            `flowkit_deflow.evaluation.statistics.high_pass_residual` for what the numbers then mean).
        fidelity: PSNR and SSIM, where clean images have partners on both sides; otherwise None.
        warnings: a line for each file that could not be read and was left out.
    """

    real: ResidualStatistics
    generated: ResidualStatistics
    against_clean: bool
    fidelity: Fidelity | None
    warnings: tuple[str, ...]

    @property
    def std_ratio(self) -> Array:
        """Shape (3,): generated / real standard deviation per channel; NaN where real is constant."""
        return np.array([_ratio(float(g), float(r)) for g, r in zip(self.generated.std, self.real.std, strict=True)])

    @property
    def overall_std_ratio(self) -> float:
        """Generated / real standard deviation, channels together; NaN if real is constant."""
        return _ratio(self.generated.overall_std, self.real.overall_std)

    @property
    def lag1_difference(self) -> float:
        """Generated less real autocorrelation of direct neighbours."""
        return self.generated.lag1 - self.real.lag1

    @property
    def kl(self) -> float:
        """KL(real || generated) of the residuals' histograms, in nats, mean over the channels."""
        return kl_divergence(self.real.histogram, self.generated.histogram)

    @property
    def white_kl(self) -> float:
        """KL(real || the white Gaussian fitted to real), in nats: what `kl` has to stay below."""
        return white_gaussian_kl(self.real)

    @property
    def kl_ratio(self) -> float:
        """`kl` / `white_kl`: below 1, the generated noise is closer to the real than Gaussian noise is."""
        return _ratio(self.kl, self.white_kl)

    @property
    def shared_brightness(self) -> float:
        """Share of the real pixels, 0 to 1, at brightnesses that both sets show: those compared below."""
        shared = shared_brightness_bins(self.real, self.generated)
        return float(self.real.brightness_pixels[shared].sum() / self.real.pixels)

    @property
    def conditional_kl(self) -> float:
        """KL(real || generated) given the brightness, in nats, over the shared brightnesses; NaN without any."""
        shared = shared_brightness_bins(self.real, self.generated)
        return conditional_kl(self.real.joint_histogram, self.generated.joint_histogram, shared)

    @property
    def white_conditional_kl(self) -> float:
        """KL given the brightness of real against one white Gaussian, over the same brightnesses."""
        shared = shared_brightness_bins(self.real, self.generated)
        return conditional_kl(self.real.joint_histogram, white_gaussian_joint_histogram(self.real), shared)

    @property
    def conditional_kl_ratio(self) -> float:
        """`conditional_kl` / `white_conditional_kl`."""
        return _ratio(self.conditional_kl, self.white_conditional_kl)


def evaluate(
    generated: Images,
    real: Images,
    clean: Images | None = None,
    real_clean: Images | None = None,
    *,
    strict: bool = False,
    progress: Callable[[Path], None] | None = None,
) -> Evaluation:
    """Compare generated degraded images with real degraded ones, image by image in constant memory.

    Each set is a folder (searched with its subfolders) or a list of files. With clean images, residuals are
    degraded - clean, and a degraded image's partner is the clean image of the same name: the path within the
    folder without its suffix, for files of a list the stem. A degraded image may be one of several samples,
    NAME_s0, NAME_s1, ...: it belongs to NAME, unless a clean image bears the full name. Without clean images,
    both sets are measured against themselves smoothed.

    Args:
        generated: the generated images.
        real: the real degraded images; they need not show the same scenes.
        clean: the images that `generated` was made from.
        real_clean: the clean partners of `real`; `clean` if not given.
        strict: whether a file that cannot be read ends the evaluation; otherwise it becomes a warning.
        progress: called with each degraded file once it is done or left out.

    Returns:
        The statistics of both sets and their comparison.

    Raises:
        UserError: a degraded image has no clean partner or another size than it; two clean images have the same
            name; a set is empty or wholly unreadable; `real_clean` is given without `clean`.
        ImageError: a file cannot be read, and `strict` is set.

    Examples:
        >>> import tempfile, torch
        >>> from flowkit_deflow.images.image_files import write_image
        >>> folder = Path(tempfile.mkdtemp())
        >>> for kind, value in (("clean", 0.4), ("real", 0.6), ("made", 0.8)):
        ...     write_image(folder / kind / "a.png", torch.full((3, 16, 16), value))
        >>> result = evaluate(folder / "made", folder / "real", folder / "clean")
        >>> round(float(result.real.mean[0]), 3), round(float(result.generated.mean[0]), 3)
        (0.2, 0.4)
    """
    if clean is None:
        if real_clean is not None:
            raise UserError(
                "clean partners were given for the real images but not for the generated ones; give both, "
                "or none to compare each image with itself smoothed"
            )
        generated_partners = _without_partners(generated, "generated")
        real_partners = _without_partners(real, "real")
    else:
        partners = _by_name(clean)
        own_partners = partners if real_clean is None else _by_name(real_clean)
        generated_partners = _with_partners(generated, partners, "generated")
        real_partners = _with_partners(real, own_partners, "real")
    shared = _clean_files(generated_partners) & _clean_files(real_partners)
    warnings: list[str] = []
    measured_real = _measure(real_partners, "real", shared, warnings, strict, progress)
    measured_generated = _measure(generated_partners, "generated", shared, warnings, strict, progress)
    return Evaluation(
        real=measured_real.statistics,
        generated=measured_generated.statistics,
        against_clean=clean is not None,
        fidelity=_fidelity(measured_real, measured_generated),
        warnings=tuple(dict.fromkeys(warnings)),
    )


def to_json(evaluation: Evaluation) -> dict[str, object]:
    """Put an evaluation into plain numbers, lists and strings, as JSON holds them.

    Args:
        evaluation: the evaluation.

    Returns:
        The groups `real`, `generated` (statistics in [0, 1] units, without the histogram over brightness),
        `comparison`, `fidelity` (None without it), and `against_clean`, `warnings`. Numbers that are NaN or
        infinite, which JSON has no signs for, become None.
    """
    comparison = {
        "std_ratio": evaluation.std_ratio,
        "overall_std_ratio": evaluation.overall_std_ratio,
        "lag1_difference": evaluation.lag1_difference,
        "kl": evaluation.kl,
        "white_kl": evaluation.white_kl,
        "kl_ratio": evaluation.kl_ratio,
        "conditional_kl": evaluation.conditional_kl,
        "white_conditional_kl": evaluation.white_conditional_kl,
        "conditional_kl_ratio": evaluation.conditional_kl_ratio,
        "shared_brightness": evaluation.shared_brightness,
    }
    fidelity = evaluation.fidelity
    return {
        "against_clean": evaluation.against_clean,
        "real": _statistics_json(evaluation.real),
        "generated": _statistics_json(evaluation.generated),
        "comparison": {name: _plain(value) for name, value in comparison.items()},
        "fidelity": fidelity and {name: _plain(value) for name, value in asdict(fidelity).items()},
        "warnings": list(evaluation.warnings),
    }


def write_json(path: Path, evaluation: Evaluation) -> None:
    """Write :func:`to_json` to a file, whole or not at all.

    Args:
        path: the file.
        evaluation: the evaluation.

    Raises:
        UserError: it cannot be written.
    """
    write_text(path, json.dumps(to_json(evaluation), indent=2) + "\n")


def table(evaluation: Evaluation) -> str:
    """Lay an evaluation out as text in aligned columns, at most 100 wide.

    Args:
        evaluation: the evaluation.

    Returns:
        Lines without a final line break: quantities down the side; real, generated, the white Gaussian fitted
        to real, and generated against real (x: ratio, + and -: difference) across. A dash stands for what
        could not be measured. Warnings are not part of it.
    """
    real, generated = evaluation.real, evaluation.generated
    reference = "clean image" if evaluation.against_clean else "the same image smoothed"
    rows = [
        ("", "real", "generated", "white Gaussian", "generated vs real"),
        ("images", f"{real.images:,}", f"{generated.images:,}", "", ""),
        ("pixels", f"{real.pixels:,}", f"{generated.pixels:,}", "", ""),
        *_grey_level_rows(real, generated),
        *_correlation_rows(real, generated),
        *_divergence_rows(evaluation),
    ]
    if evaluation.fidelity is not None:
        rows += _fidelity_rows(evaluation.fidelity)
    lines = [f"Residuals: degraded image - {reference}. Standard deviations and means in 8-bit grey levels."]
    for label, *cells in rows:
        aligned = (f"{cell:>{width}}" for cell, width in zip(cells, _CELL_WIDTHS, strict=True))
        lines.append(f"{label:<{_LABEL_WIDTH}}" + "".join(aligned))
        if not label:
            lines.append("-" * (_LABEL_WIDTH + sum(_CELL_WIDTHS)))
    return "\n".join(line.rstrip() for line in lines)


_Row = tuple[str, str, str, str, str]
_LABEL_WIDTH = 35
_CELL_WIDTHS = (15, 15, 16, 19)
_CHANNEL_NAMES = ("red", "green", "blue")
_LAGS = (("1 right", 0, 1), ("1 down", 1, 0), ("1 right, 1 down", 1, 1), ("2 right", 0, 2), ("4 right", 0, 4))


def _grey_level_rows(real: ResidualStatistics, generated: ResidualStatistics) -> list[_Row]:
    rows = []
    for name, a, b in zip(_CHANNEL_NAMES, 255 * real.mean, 255 * generated.mean, strict=True):
        rows.append((f"mean, {name}", _number(a), _number(b), _number(a), _difference(b - a)))
    for name, a, b in zip(_CHANNEL_NAMES, 255 * real.std, 255 * generated.std, strict=True):
        rows.append((f"std, {name}", _number(a), _number(b), _number(a), _times(_ratio(b, a))))
    a, b = 255 * real.overall_std, 255 * generated.overall_std
    white = _number(a)
    rows.append(("std, channels together", white, _number(b), white, _times(_ratio(b, a))))
    levels = 256 // BRIGHTNESS_BINS
    more_pixels = np.maximum(real.brightness_pixels, generated.brightness_pixels)
    for index in np.flatnonzero(more_pixels >= MINIMUM_BIN_PIXELS):
        a, b = (
            255 * float(s.brightness_std[index]) if s.brightness_pixels[index] >= MINIMUM_BIN_PIXELS else math.nan
            for s in (real, generated)
        )
        label = f"std at brightness {levels * index}..{levels * (index + 1) - 1}"
        rows.append((label, _number(a), _number(b), white, _times(_ratio(b, a))))
    return rows


def _correlation_rows(real: ResidualStatistics, generated: ResidualStatistics) -> list[_Row]:
    rows = []
    for name, dy, dx in _LAGS:
        a, b = float(real.autocorrelation[dy, dx]), float(generated.autocorrelation[dy, dx])
        rows.append((f"autocorrelation, {name}", _number(a, 3), _number(b, 3), "0.000", _difference(b - a, 3)))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        a, b = float(real.correlation[i, j]), float(generated.correlation[i, j])
        label = f"correlation, {_CHANNEL_NAMES[i]} with {_CHANNEL_NAMES[j]}"
        rows.append((label, _number(a, 3), _number(b, 3), "0.000", _difference(b - a, 3)))
    return rows


def _divergence_rows(evaluation: Evaluation) -> list[_Row]:
    share = f"{100 * evaluation.shared_brightness:.0f}%"
    return [
        ("KL(real || .) [nats]", "0", _number(evaluation.kl, 4), _number(evaluation.white_kl, 4), ""),
        (
            f"  given brightness ({share} of pixels)",
            "0",
            _number(evaluation.conditional_kl, 4),
            _number(evaluation.white_conditional_kl, 4),
            "",
        ),
        ("KL as a share of white's", "", _number(evaluation.kl_ratio, 3), "1.000", ""),
        ("  given brightness", "", _number(evaluation.conditional_kl_ratio, 3), "1.000", ""),
    ]


def _fidelity_rows(fidelity: Fidelity) -> list[_Row]:
    a, b = fidelity.real_psnr, fidelity.generated_psnr
    psnr_row = ("PSNR against clean [dB]", _number(a), _number(b), "", _difference(b - a))
    a, b = fidelity.real_ssim, fidelity.generated_ssim
    return [psnr_row, ("SSIM against clean", _number(a, 3), _number(b, 3), "", _difference(b - a, 3))]


def _number(value: float, digits: int = 2) -> str:
    if math.isnan(value):
        return "-"
    # Adding zero turns a rounded "-0.00" into "0.00".
    return f"{round(float(value), digits) + 0.0:.{digits}f}"


def _difference(value: float, digits: int = 2) -> str:
    return "-" if math.isnan(value) else f"{round(float(value), digits) + 0.0:+.{digits}f}"


def _times(ratio: float) -> str:
    return "-" if math.isnan(ratio) else f"x {ratio:.3f}"


def _ratio(numerator: float, denominator: float) -> float:
    return numerator / denominator if denominator != 0 else math.nan


def _plain(value: object) -> object:
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, list):
        return [_plain(entry) for entry in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _statistics_json(statistics: ResidualStatistics) -> dict[str, object]:
    return {
        "images": statistics.images,
        "pixels": statistics.pixels,
        "mean": _plain(statistics.mean),
        "std": _plain(statistics.std),
        "overall_std": _plain(statistics.overall_std),
        "brightness_pixels": _plain(statistics.brightness_pixels),
        "brightness_std": _plain(statistics.brightness_std),
        "lag1": _plain(statistics.lag1),
        "autocorrelation": _plain(statistics.autocorrelation),
        "correlation": _plain(statistics.correlation),
        "spectrum": _plain(statistics.spectrum),
        "histogram": _plain(statistics.histogram),
    }


@dataclass(frozen=True)
class _Partnered:
    path: Path
    clean: Path | None


@dataclass(frozen=True)
class _Measured:
    statistics: ResidualStatistics
    psnr: Mapping[Path, list[float]]
    ssim: Mapping[Path, list[float]]


def _named(images: Images) -> list[tuple[str, Path]]:
    if isinstance(images, Path):
        root = images if images.is_dir() else images.parent
        return [(path.relative_to(root).with_suffix("").as_posix(), path) for path in list_images(images)]
    return [(path.stem, path) for path in images]


def _by_name(images: Images) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for name, path in _named(images):
        if name in found:
            raise UserError(
                f"two clean images are called '{name}': '{found[name]}' and '{path}'; rename or remove one of them"
            )
        found[name] = path
    return found


def _without_partners(images: Images, kind: str) -> list[_Partnered]:
    return _some([_Partnered(path, None) for _, path in _named(images)], kind)


def _with_partners(images: Images, partners: Mapping[str, Path], kind: str) -> list[_Partnered]:
    matched = []
    for name, path in _named(images):
        clean = partners.get(name) or partners.get(_SAMPLE.sub("", name))
        if clean is None:
            raise UserError(
                f"the {kind} image '{path}' has no clean partner: none of the {len(partners)} clean images is called "
                f"'{_SAMPLE.sub('', name)}'; give the clean images it belongs to, or none at all to compare each "
                "image with itself smoothed"
            )
        matched.append(_Partnered(path, clean))
    return _some(matched, kind)


def _some(images: list[_Partnered], kind: str) -> list[_Partnered]:
    if not images:
        raise UserError(f"there are no {kind} images to compare; give at least one")
    return images


def _clean_files(images: list[_Partnered]) -> set[Path]:
    return {image.clean.resolve() for image in images if image.clean is not None}


def _measure(
    images: list[_Partnered],
    kind: str,
    shared: set[Path],
    warnings: list[str],
    strict: bool,
    progress: Callable[[Path], None] | None,
) -> _Measured:
    accumulator = ResidualAccumulator()
    psnr_of: dict[Path, list[float]] = defaultdict(list)
    ssim_of: dict[Path, list[float]] = defaultdict(list)
    unreadable: list[str] = []
    for image in images:
        try:
            degraded = read_image(image.path)
            reference = smooth_reference(degraded) if image.clean is None else read_image(image.clean)
        except ImageError as error:
            if strict:
                raise
            unreadable.append(str(error))
        else:
            if image.clean is not None:
                _require_same_size(image.path, degraded, image.clean, reference)
                clean = image.clean.resolve()
                if clean in shared:
                    psnr_of[clean].append(psnr(degraded, reference))
                    if min(degraded.shape[1:]) >= SMALLEST_SSIM_SIDE:
                        ssim_of[clean].append(ssim(degraded, reference))
            accumulator.add(degraded, reference)
        if progress is not None:
            progress(image.path)
    if len(unreadable) == len(images):
        raise UserError(f"none of the {len(images)} {kind} images could be compared; the first: {unreadable[0]}")
    warnings += unreadable
    return _Measured(accumulator.result(), psnr_of, ssim_of)


def _require_same_size(path: Path, degraded: Tensor, clean_path: Path, clean: Tensor) -> None:
    if degraded.shape != clean.shape:
        sizes = [f"{image.shape[2]} x {image.shape[1]}" for image in (degraded, clean)]
        raise UserError(
            f"'{path}' is {sizes[0]} pixels and its clean partner '{clean_path}' is {sizes[1]}; "
            "give clean images of the degraded images' size"
        )


def _fidelity(real: _Measured, generated: _Measured) -> Fidelity | None:
    shared = sorted(real.psnr.keys() & generated.psnr.keys())
    if not shared:
        return None
    return Fidelity(
        clean_images=len(shared),
        real_psnr=_mean_of_means(real.psnr, shared),
        generated_psnr=_mean_of_means(generated.psnr, shared),
        real_ssim=_mean_of_means(real.ssim, shared),
        generated_ssim=_mean_of_means(generated.ssim, shared),
    )


def _mean_of_means(values: Mapping[Path, list[float]], keys: list[Path]) -> float:
    means = [float(np.mean(values[key])) for key in keys if key in values]
    return float(np.mean(means)) if means else math.nan
