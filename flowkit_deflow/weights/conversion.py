"""Published checkpoint files to models, and back."""

from pathlib import Path

from flowkit_deflow.errors import UserError, listed
from flowkit_deflow.method.model import DeFlow
from flowkit_deflow.settings.presets import PUBLISHED, preset
from flowkit_deflow.settings.schema import Architecture
from flowkit_deflow.settings.text import read_run
from flowkit_deflow.state_files import read_state, write_state
from flowkit_deflow.weights.published import from_published, to_published

__all__ = ["read_published", "write_published"]

# Levels of the dequantisation noise that all published models were trained with: 5 bits.
PUBLISHED_BINS = 32


def read_published(path: Path, name: str | None = None, settings: Path | None = None) -> DeFlow:
    """The model in a published checkpoint, its architecture given in one of two ways.

    Args:
        path: the checkpoint, ``.pth``, ``.pt`` or ``.safetensors``.
        name: the preset whose architecture it has.
        settings: a file of settings with its architecture.

    Returns:
        The model in evaluation mode, on the CPU.

    Raises:
        UserError: the file is missing or damaged, both or none of ``name`` and ``settings`` are given, or the
            checkpoint is of another architecture.
    """
    state = read_state(path)
    model = DeFlow(_architecture(path, name, settings))
    from_published(model.bijector, model.latents, state)
    return model.eval()


def write_published(folder: Path, path: Path) -> list[str]:
    """Write a model folder's weights under the published names.

    Args:
        folder: the model folder.
        path: the file to write, ``.pth``, ``.pt`` or ``.safetensors``.

    Returns:
        What the published format does not hold, a sentence for each.

    Raises:
        UserError: the folder holds no DeFlow, or one with parts that the published network lacks; or the file cannot be
            written.
    """
    model = DeFlow.from_pretrained(folder)
    state = to_published(model.bijector, model.latents)
    if model.grain is not None and model.grain.std > 0:
        raise UserError(
            "the published format holds no grain, and this model adds it to what its flow generates; save it as a "
            "folder instead"
        )
    write_state(path, state)
    notes = ["Two tensors that the published network never uses (flowUpsamplerNet.f.0) are written as zeros."]
    if model.config.normalization is not None:
        notes.append(
            f"The published format cannot hold this model's colour normalisation: keep {folder / 'config.json'}."
        )
    if model.config.bins != PUBLISHED_BINS:
        notes.append(
            f"The published format cannot hold that this model was trained with {model.config.bins} levels of "
            f"dequantisation noise in place of {PUBLISHED_BINS}: keep {folder / 'config.json'}."
        )
    return notes


def _architecture(path: Path, name: str | None, settings: Path | None) -> Architecture:
    if name is not None and settings is None:
        architecture = PUBLISHED[name] if name in PUBLISHED else preset(name).architecture
        if "auto" in (architecture.factor, architecture.h_noise):
            raise UserError(
                f"--preset {name}: chooses h from the training images, and does not say which architecture {path} has; "
                "give the run's own settings with --config RUN/run.yaml"
            )
        return architecture
    if settings is not None and name is None:
        return read_run(settings).architecture
    raise UserError(
        f"{path}: say which architecture it has with either --preset ({listed(PUBLISHED, 'or')}) or --config"
    )
