"""One folder format for all models: ``config.json`` says what it is, ``model.safetensors`` holds its weights."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from torch import Tensor, nn

from flowkit_deflow.errors import UserError
from flowkit_deflow.files import atomic_folder
from flowkit_deflow.state_files import read_state, write_state

__all__ = [
    "CONFIG",
    "FORMAT",
    "RUN_SETTINGS",
    "StoredModel",
    "load_exactly",
    "model_folder_of",
    "model_hash",
    "read_model_folder",
    "write_model_folder",
]

VERSION = 2
FORMAT = f"flowkit-deflow {VERSION}"
CONFIG = "config.json"
WEIGHTS = "model.safetensors"
# Files of settings, by which the folder of a run is known: of DeFlow, of another degrader, of a restoration network.
RUN_SETTINGS = ("run.yaml", "degrader.yaml", "restorer.yaml")

# The first format knew DeFlow alone, and called its settings the architecture.
FIRST_FORMAT = "flowkit-deflow 1"
FIRST_KIND = "deflow"
LATER_FORMATS = tuple(f"flowkit-deflow {number}" for number in range(VERSION + 1, 100))


class StoredModel(NamedTuple):
    """What a model folder holds.

    Attributes:
        folder: the folder.
        kind: which model it is.
        settings: the model's settings, as plain values.
        state: its weights, key to tensor, on the CPU.
    """

    folder: Path
    kind: str
    settings: Mapping[str, Any]
    state: dict[str, Tensor]

    @property
    def config(self) -> str:
        """The file of the settings, for messages."""
        return str(self.folder / CONFIG)

    def require(self, kind: str) -> None:
        """Check that it is a model of some kind.

        Raises:
            UserError: it is of another kind.
        """
        if self.kind != kind:
            raise UserError(
                f"{self.config}: is a model of the kind {self.kind!r}, expected {kind!r}; give a model of that kind"
            )

    def load_into(self, model: nn.Module) -> None:
        """Load the weights; see :func:`load_exactly`."""
        load_exactly(model, self.state, str(self.folder / WEIGHTS))


def write_model_folder(folder: str | Path, kind: str, settings: Mapping[str, Any], state: Mapping[str, Tensor]) -> None:
    """Write a model folder, whole or not at all.

    Args:
        folder: where; a model that is there already is replaced as a whole.
        kind: which model it is, a name of ``flowkit_deflow.degraders.registry.DEGRADERS``.
        settings: what JSON can hold.
        state: the weights.

    Raises:
        UserError: it cannot be written, or the folder holds other files.
    """
    config = {"format": FORMAT, "kind": kind, "settings": settings}
    with atomic_folder(Path(folder), replaces=(CONFIG, WEIGHTS)) as temporary:
        (temporary / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        write_state(temporary / WEIGHTS, dict(state))


def model_folder_of(path: str | Path) -> Path:
    """The model folder that a path stands for: of a run, its model; otherwise the path itself."""
    path = Path(path)
    is_run = any((path / name).is_file() for name in RUN_SETTINGS)
    return path / "model" if is_run and not (path / CONFIG).exists() else path


def model_hash(folder: str | Path) -> str:
    """A hash of a model's settings and weights, by which results name the model that made them.

    Args:
        folder: the model folder, or the folder of a run.

    Raises:
        UserError: a file is missing.
    """
    folder = model_folder_of(folder)
    digest = hashlib.sha256()
    for name in (CONFIG, WEIGHTS):
        try:
            with (folder / name).open("rb") as file:
                digest.update(hashlib.file_digest(file, "sha256").digest())
        except OSError as error:
            raise UserError(f"{folder / name}: cannot be read ({error.strerror}); get the model again") from None
    return digest.hexdigest()


def read_model_folder(folder: str | Path) -> StoredModel:
    """Read what :func:`write_model_folder` wrote, in this version or the one before.

    Args:
        folder: the folder; of a run of ``deflow train``, its model is read.

    Raises:
        UserError: a file is missing or damaged, or of another format.
    """
    folder = model_folder_of(folder)
    path = folder / CONFIG
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except OSError:
        if not folder.exists():
            raise UserError(f"{folder}: no such folder; give a model's folder, or that of a run") from None
        raise UserError(
            f"{folder}: is no model folder (no {CONFIG} to read); train a degrader with deflow train, or a restorer "
            "with deflow restorer train"
        ) from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: is not valid JSON ({error}); get the model again") from None
    kind, settings = _kind_and_settings(path, config)
    return StoredModel(folder, kind, settings, read_state(folder / WEIGHTS))


def _kind_and_settings(path: Path, config: Any) -> tuple[str, Any]:
    if isinstance(config, dict):
        if config.get("format") == FIRST_FORMAT and "architecture" in config:
            return FIRST_KIND, config["architecture"]
        if config.get("format") == FORMAT and isinstance(config.get("kind"), str) and "settings" in config:
            return config["kind"], config["settings"]
        if config.get("format") in LATER_FORMATS:
            raise UserError(f"{path}: a later version of flowkit-deflow wrote it ({config['format']}); update this one")
    raise UserError(f"{path}: is not of the format {FORMAT!r}; convert other checkpoints with deflow convert")


def load_exactly(model: nn.Module, state: Mapping[str, Tensor], source: str) -> None:
    """Load a state dict, every key accounted for.

    Args:
        model: what it is loaded into.
        state: the weights.
        source: where they come from, for messages.

    Raises:
        UserError: an unknown, missing or misshapen key, by name.

    Examples:
        >>> load_exactly(nn.Linear(1, 1), {}, "weights.pth")
        Traceback (most recent call last):
        ...
        flowkit_deflow.errors.UserError: weights.pth: key 'bias' is missing; ...
    """
    own = model.state_dict()
    for key in sorted(state.keys() ^ own.keys()):
        problem = "is missing" if key in own else "is unknown"
        raise UserError(f"{source}: key {key!r} {problem}; these weights are of another architecture than {CONFIG}")
    for key, value in own.items():
        if state[key].shape != value.shape:
            raise UserError(
                f"{source}: {key!r} has shape {tuple(state[key].shape)}, expected {tuple(value.shape)}; "
                f"these weights are of another architecture than {CONFIG}"
            )
    model.load_state_dict(state)
