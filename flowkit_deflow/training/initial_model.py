"""The weights that a run starts from, where it does not start at random."""

from dataclasses import replace
from pathlib import Path

from flowkit_deflow.errors import UserError
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.method.shifts.binned import BinnedShift
from flowkit_deflow.model_folder import load_exactly
from flowkit_deflow.settings.differences import differences
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.state_files import read_state
from flowkit_deflow.training.checkpoint_io import last_checkpoint, model_of_run
from flowkit_deflow.weights.published import from_published

__all__ = ["model_at", "start_from"]

# What is no part of the weights, and may be others for other images.
FREE = ("h_noise", "normalization", "grain")


def model_at(place: Path) -> DeFlow | None:
    """The model in a model folder, a run or a run's checkpoint, which say what its architecture is.

    Args:
        place: the folder or file.

    Returns:
        The model; ``None`` for a published checkpoint, which does not say what its architecture is.

    Raises:
        UserError: it is none of these, or cannot be read.
    """
    if place.suffix == ".ckpt":
        return model_of_run(place)
    if place.is_file():
        return None
    if (place / "model").is_dir():
        return DeFlow.from_pretrained(place / "model")
    return model_of_run(last_checkpoint(place)) if last_checkpoint(place).exists() else DeFlow.from_pretrained(place)


def start_from(model: DeFlow, place: Path) -> None:
    """Take all weights of a model from another one, or from a published checkpoint.

    A shift that was measured after training is, until the new training has ended, the one that was trained; of grain
    there is none until then.

    Args:
        model: the model; only its noise in h, its colour normalisation and whether it has grain may be others than
            those of the weights.
        place: a model folder, a run, a run's checkpoint, or a published checkpoint.

    Raises:
        UserError: the weights cannot be read, or are of another architecture.
    """
    other = model_at(place)
    if other is None:
        from_published(model.bijector, model.latents, read_state(place))
        return
    own = {name: getattr(model.config, name) for name in FREE}
    different = differences(Run(architecture=replace(other.config, **own)), Run(architecture=model.config))
    if different:
        raise UserError(
            f"{place}: holds a model of another architecture ({'; '.join(map(str, different))}); leave that as it is "
            "there, or train without an initial model"
        )
    # The grain is measured at the end of a run, whether that of the weights had one or not.
    other.grain = model.grain
    load_exactly(model, other.state_dict(), str(place))
    for shift in model.latents.shifts:
        if isinstance(shift, BinnedShift):
            shift.measured.fill_(False)
    if model.grain is not None:
        model.grain.forget()
