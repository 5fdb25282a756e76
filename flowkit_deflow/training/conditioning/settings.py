"""``auto`` in a run's settings, replaced by numbers."""

from dataclasses import replace

from flowkit_deflow.errors import UserError
from flowkit_deflow.method.latents import Domain
from flowkit_deflow.settings.schema import Architecture, Run
from flowkit_deflow.training.conditioning.choice import FACTORS, H_NOISES, Conditioning, choose_conditioning
from flowkit_deflow.training.data import UnpairedCrops

__all__ = ["resolve_conditioning"]

IMAGES = 60  # of a domain: more change the choice no more
LARGEST = 512  # pixels


def resolve_conditioning(run: Run) -> tuple[Run, Conditioning | None]:
    """Choose what a run leaves open of h, from its images.

    Only factors are tried whose alignment divides the run's crops.

    Args:
        run: settings, with ``factor`` or ``h_noise`` possibly ``"auto"``.

    Returns:
        The settings with numbers, and what they were chosen by; ``None`` where nothing was open.

    Raises:
        UserError: a folder does not fit, there are too few images, or ``h_noise`` is ``"auto"`` without conditioning.
    """
    architecture = run.architecture
    if architecture.factor != "auto" and architecture.h_noise != "auto":
        return run, None
    if architecture.factor is None:
        raise UserError("setting 'architecture.h_noise' is 'auto', but 'architecture.factor' is null: there is no h")
    factors = FACTORS if architecture.factor == "auto" else (architecture.factor,)
    h_noises = (architecture.h_noise,) if isinstance(architecture.h_noise, float | int) else H_NOISES
    fitting = [factor for factor in factors if run.data.crop % replace(architecture, factor=factor).alignment == 0]
    if not fitting:
        needed = replace(architecture, factor=factors[0]).alignment
        raise UserError(f"setting 'data.crop' is {run.data.crop}; it has to be a multiple of {needed}")
    crops = UnpairedCrops(run.data, replace(architecture, factor=fitting[0]), run.training.batch, run.training.seed)
    clean, degraded = (crops.whole(domain, IMAGES, LARGEST) for domain in (Domain.CLEAN, Domain.DEGRADED))
    try:
        chosen = choose_conditioning(clean, degraded, fitting, h_noises, run.training.seed)
    except ValueError as error:
        raise UserError(f"'auto' in the settings cannot be decided: {error}") from None
    return replace(run, architecture=_with(architecture, chosen)), chosen


def _with(architecture: Architecture, chosen: Conditioning) -> Architecture:
    return replace(architecture, factor=chosen.factor, h_noise=chosen.h_noise)
