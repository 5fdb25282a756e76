"""Compares generated degraded images with real ones."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from flowkit_deflow.evaluation.image_set import ImageSet, ImageSets
from flowkit_deflow.evaluation.measurement import Progress, measure_files
from flowkit_deflow.evaluation.partners import Images, Partnered, partnered
from flowkit_deflow.evaluation.quantities import QUANTITIES
from flowkit_deflow.evaluation.quantities.histogram import ResidualHistogram
from flowkit_deflow.evaluation.quantities.noise_level import Moments
from flowkit_deflow.evaluation.quantity import Quantity, Value
from flowkit_deflow.evaluation.statistic import Statistic
from flowkit_deflow.evaluation.white_gaussian import white_gaussian

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Generated degradations beside real ones.

    Attributes:
        sets: the sets of images that are compared, with their statistics.
        quantities: what the table, the JSON and the pictures show of them.
        against_clean: true if residuals are against clean images, false if against each image smoothed (see
            `flowkit_deflow.evaluation.smoothing.high_pass_residual` for what the numbers then mean).
        warnings: a line for each file that could not be read and was left out.
    """

    sets: ImageSets
    quantities: tuple[Quantity, ...]
    against_clean: bool
    warnings: tuple[str, ...] = ()

    @cached_property
    def values(self) -> Mapping[str, Mapping[str, Value]]:
        """All numbers by object and name, as the JSON has them: ``values["comparison"]["kl"]``."""
        values: dict[str, dict[str, Value]] = defaultdict(dict)
        for quantity in self.quantities:
            for (group, key), value in quantity.recorded(self.sets):
                values[group][key] = value
        return dict(values)


def evaluate(
    generated: Images,
    real: Images,
    clean: Images | None = None,
    real_clean: Images | None = None,
    *,
    strict: bool = False,
    progress: Progress | None = None,
    quantities: Sequence[Quantity] = QUANTITIES,
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
        quantities: what to measure.

    Returns:
        The statistics of both sets and of the white Gaussian fitted to the real one.

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
        >>> round(float(result.values["real"]["mean"][0]), 3), round(float(result.values["generated"]["mean"][0]), 3)
        (0.2, 0.4)
    """
    generated_files, real_files = partnered(generated, real, clean, real_clean)
    shared = _clean_files(generated_files) & _clean_files(real_files)
    # The white Gaussian is made from the moments and the histogram, whatever else is measured.
    kinds: list[type[Statistic]] = list(
        dict.fromkeys([Moments, ResidualHistogram, *(quantity.needs for quantity in quantities)])
    )
    real_set, real_warnings = measure_files(real_files, kinds, "real", shared, strict, progress)
    generated_set, generated_warnings = measure_files(generated_files, kinds, "generated", shared, strict, progress)
    white = white_gaussian(real_set[Moments], generated_set[ResidualHistogram].brightness_pixels)
    return Evaluation(
        sets=ImageSets(_matched(real_set, generated_set), _matched(generated_set, real_set), (white,)),
        quantities=tuple(quantities),
        against_clean=clean is not None,
        warnings=tuple(dict.fromkeys([*real_warnings, *generated_warnings])),
    )


def _clean_files(images: list[Partnered]) -> set[Path]:
    return {image.clean.resolve() for image in images if image.clean is not None}


def _matched(images: ImageSet, other: ImageSet) -> ImageSet:
    """The set with what can be compared with the other one."""
    statistics: dict[type[Statistic], Statistic] = {}
    for kind, statistic in images.statistics.items():
        counterpart = other.get(kind)
        matched = None if counterpart is None else statistic.matched(counterpart)
        if matched is not None:
            statistics[kind] = matched
    return replace(images, statistics=statistics)
