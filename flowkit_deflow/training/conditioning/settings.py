"""``auto`` in a run's settings, replaced by numbers."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from flowkit_deflow.errors import UserError
from flowkit_deflow.images.middle import middle
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.settings.schema import Architecture, Factor, Run
from flowkit_deflow.training.conditioning.choice import FACTORS, H_NOISES, Conditioning, choose_conditioning
from flowkit_deflow.training.paired_crops import crops_of

__all__ = ["resolve_conditioning"]

IMAGES = 60  # of a domain: more change the choice no more
LARGEST = 512  # side of the part in the middle that is looked at (pixels)


def resolve_conditioning(run: Run) -> tuple[Run, Conditioning | None]:
    """Choose what a run leaves open of h, from its images.

    Only factors are tried whose alignment divides the run's crops.

    Args:
        run: settings, with ``factor`` or ``h_noise`` possibly ``"auto"``.

    Returns:
        The settings with numbers, and what they were chosen by; ``None`` where nothing was open.

    Raises:
        UserError: a folder does not fit, no image can be measured, or ``h_noise`` is ``"auto"`` without conditioning.
    """
    architecture = run.architecture
    if architecture.factor != "auto" and architecture.h_noise != "auto":
        return run, None
    if architecture.factor is None:
        raise UserError("setting 'architecture.h_noise' is 'auto', but 'architecture.factor' is null: there is no h")
    factors: tuple[Factor, ...] = FACTORS if architecture.factor == "auto" else (architecture.factor,)
    h_noises = (architecture.h_noise,) if isinstance(architecture.h_noise, float | int) else H_NOISES
    fitting = [factor for factor in factors if run.data.crop % replace(architecture, factor=factor).alignment == 0]
    if not fitting:
        needed = replace(architecture, factor=factors[0]).alignment
        raise UserError(f"setting 'data.crop' is {run.data.crop}; it has to be a multiple of {needed}")
    # What is held out to judge the model by may be measured as well.
    data = replace(run.data, held_out=0.0)
    crops = crops_of(data, replace(architecture, factor=fitting[0]), run.training.batch, run.training.seed)
    crops.files = {domain: _spread(files, IMAGES) for domain, files in crops.files.items()}
    clean, degraded = (
        [middle(image, LARGEST).contiguous() for _, image in crops.whole_images(domain)]
        for domain in (Domain.CLEAN, Domain.DEGRADED)
    )
    try:
        chosen = choose_conditioning(clean, degraded, fitting, h_noises, run.training.seed)
    except ValueError as error:
        raise UserError(f"'auto' in the settings cannot be decided: {error}") from None
    return replace(run, architecture=_with(architecture, chosen)), chosen


def _spread(files: Sequence[Path], count: int) -> list[Path]:
    """At most so many of the files, from the first to the last at equal distances."""
    return [files[number * len(files) // count] for number in range(count)] if len(files) > count else list(files)


def _with(architecture: Architecture, chosen: Conditioning) -> Architecture:
    return replace(architecture, factor=chosen.factor, h_noise=chosen.h_noise)
