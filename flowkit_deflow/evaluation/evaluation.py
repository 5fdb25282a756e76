"""Compares generated degraded images with real ones."""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial
from pathlib import Path

from flowkit_deflow.errors import UserError
from flowkit_deflow.evaluation.baselines import BASELINE_KINDS, PAIRED_BASELINE_KINDS, baselines, white_baseline
from flowkit_deflow.evaluation.block_sums import dealt_out
from flowkit_deflow.evaluation.bootstrap import Interval, bootstrap_intervals
from flowkit_deflow.evaluation.bounds import ceiling, floor
from flowkit_deflow.evaluation.cautions import cautions
from flowkit_deflow.evaluation.image_set import ImageSet, ImageSets
from flowkit_deflow.evaluation.measurement import Progress, measure_files
from flowkit_deflow.evaluation.partners import Images, Partnered, partnered, without_partners
from flowkit_deflow.evaluation.quantities import QUANTITIES, QUANTITIES_WITHOUT_PAIRS
from flowkit_deflow.evaluation.quantity import Quantity, Value
from flowkit_deflow.evaluation.statistic import Statistic

__all__ = ["Evaluation", "evaluate"]


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Generated degradations beside real ones.

    Attributes:
        sets: the sets of images that are compared, with their statistics.
        quantities: what the table, the JSON and the pictures show of them.
        against_clean: true if residuals are against clean images, false if against each image smoothed (see
            `flowkit_deflow.evaluation.smoothing.high_pass_residual` for what the numbers then mean).
        intervals: the 95 % interval over images of the main comparisons, by their names in the JSON; none for under
            five images.
        cautions: a sentence for each sign that images or figures are not what they seem.
        warnings: a line for each file that could not be read and was left out.
    """

    sets: ImageSets
    quantities: tuple[Quantity, ...]
    against_clean: bool
    intervals: Mapping[str, Interval] = field(default_factory=dict)
    cautions: tuple[str, ...] = ()
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
    source: Images | None = None,
    strict: bool = False,
    progress: Progress | None = None,
    quantities: Sequence[Quantity] | None = None,
) -> Evaluation:
    """Compare generated degraded images with real degraded ones, image by image.

    Images are read one after the other; of each, some ten kilobytes are kept.

    Each set is a folder (searched with its subfolders) or a list of files. With clean images, residuals are
    degraded - clean, and a degraded image's partner is the clean image of the same name: the path within the
    folder without its suffix, for files of a list the stem. A degraded image may be one of several samples,
    NAME_s0, NAME_s1, ...: it belongs to NAME, unless a clean image bears the full name.

    Without clean images, both sets are measured against themselves smoothed, and by patches that need no partner.
    Such figures mean something only between two others: the clean images that `generated` was made from, as if
    they had been generated (`source`), and a random half of the real images against the other half.

    Args:
        generated: the generated images.
        real: the real degraded images; they need not show the same scenes.
        clean: the images that `generated` was made from.
        real_clean: the clean partners of `real`; `clean` if not given.
        source: without `clean`: the images that `generated` was made from, which need no partners.
        strict: whether a file that cannot be read ends the evaluation; otherwise it becomes a warning.
        progress: called with each degraded file once it is done or left out.
        quantities: what to measure; by default `QUANTITIES` with clean images, `QUANTITIES_WITHOUT_PAIRS` without.

    Returns:
        The statistics of both sets and of the baselines fitted to the real one.

    Raises:
        UserError: a degraded image has no clean partner or another size than it; two clean images have the same
            name; a set is empty or wholly unreadable; `real_clean` is given without `clean`, or `source` with it.
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
    if clean is not None and source is not None:
        raise UserError(
            "the source images are for an evaluation without pairs, and clean images were given; give one of the two"
        )
    generated_files, real_files = partnered(generated, real, clean, real_clean)
    blocks = dealt_out((image.scene for image in real_files), (image.scene for image in generated_files))
    if quantities is None:
        quantities = QUANTITIES_WITHOUT_PAIRS if clean is None else QUANTITIES
    baseline_kinds = BASELINE_KINDS if clean is None else PAIRED_BASELINE_KINDS
    kinds = list(dict.fromkeys([*baseline_kinds, *(kind for quantity in quantities for kind in quantity.needs)]))
    counterparts = _counterparts(generated_files, real_files)

    read = partial(measure_files, kinds=kinds, strict=strict, progress=progress)
    real_sums, unreadable = read(real_files, name="real", blocks=blocks, counterparts=dict.fromkeys(counterparts))
    generated_sums, more = read(generated_files, name="generated", blocks=blocks, counterparts=counterparts)
    unreadable += more
    bounds: list[ImageSet] = []
    if source is not None:
        source_files = without_partners(source, "source")
        source_blocks = dealt_out([], (image.scene for image in source_files))
        source_sums, more = read(source_files, name="source", blocks=source_blocks, counterparts={})
        unreadable += more
        bounds.append(floor(source_sums))
    if clean is None and (half := ceiling(real_sums)) is not None:
        bounds.append(half)

    sets = _side_by_side(real_sums.measured("real"), generated_sums.measured("generated"), baselines)
    sets = replace(sets, baselines=(*sets.baselines, *bounds))
    return Evaluation(
        sets=sets,
        quantities=tuple(quantities),
        against_clean=clean is not None,
        intervals=bootstrap_intervals(real_sums, generated_sums, quantities, BASELINE_KINDS, _beside_white),
        cautions=tuple(cautions(sets)),
        warnings=tuple(dict.fromkeys(unreadable)),
    )


def _counterparts(generated: Sequence[Partnered], real: Sequence[Partnered]) -> dict[str, Path | None]:
    """The scenes that both sets show against a clean image, each with its first real image."""
    first = {image.scene: image.path for image in reversed(real) if image.clean is not None}
    return {image.scene: first[image.scene] for image in generated if image.scene in first}


def _beside_white(real: ImageSet, generated: ImageSet) -> ImageSets:
    return _side_by_side(real, generated, white_baseline)


def _side_by_side(
    real: ImageSet, generated: ImageSet, fitted: Callable[[ImageSet, ImageSet], tuple[ImageSet, ...]]
) -> ImageSets:
    """The sets with what can be compared between them, and the baselines fitted to the real one."""
    matched_real, matched_generated = _matched(real, generated), _matched(generated, real)
    return ImageSets(matched_real, matched_generated, fitted(matched_real, matched_generated))


def _matched(images: ImageSet, other: ImageSet) -> ImageSet:
    """The set with what can be compared with the other one."""
    statistics: dict[type[Statistic], Statistic] = {}
    for kind, statistic in images.statistics.items():
        matched = statistic.matched(other.get(kind))
        if matched is not None:
            statistics[kind] = matched
    return replace(images, statistics=statistics)
