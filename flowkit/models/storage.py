"""Models as folders: their settings, and their weights."""

import json
import math
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from torch import Tensor, nn

from flowkit.models.architecture import build, describe
from flowkit.models.folders import whole_folder
from flowkit.models.recipe import Recipe, content_of, recipe_of
from flowkit.models.registry import create_model
from flowkit.recorded import arguments_of

__all__ = ["load_model", "save_model"]

CONFIG = "config.json"
WEIGHTS = "model.safetensors"

# Before the names of tensors that are arguments of constructors; no name in a state dict has a slash.
ARGUMENTS = "argument/"

KEYS: Mapping[str, tuple[type, str]] = {
    "flowkit": (str, "the version of flowkit that wrote it"),
    "model": (str, "the model's name"),
    "settings": (dict, "the model's settings"),
}
OF_ARCHITECTURE: Mapping[str, tuple[type, str]] = {
    "flowkit": KEYS["flowkit"],
    "architecture": (dict, "what the flow is made of"),
}

# Settings that version 0.1 did not have, and whose defaults today are not what it did.
DEFAULTS_OF_VERSION_0_1: Mapping[str, Mapping[str, Any]] = {"nsf": {"max_ratio": None}}


def save_model(model: nn.Module, folder: str | Path) -> None:
    """Store a model: one of flowkit's by name, one of a registered function, or a flow made by hand.

    The folder gets ``config.json`` (flowkit's version, and the model's name and settings, or what each part of a flow
    made by hand was made with) and ``model.safetensors`` (every entry of the state dict, bit by bit, in its own dtype).
    Both appear at once, when they are complete; a model that the folder held before is replaced. Nothing is pickled:
    such a folder can be loaded from anyone.

    A flow made by hand is of flowkit's public classes, networks of :mod:`torch.nn`, and classes declared by
    :func:`~flowkit.models.storable`. Functions and lambdas among what it is made of cannot be stored: register a
    function that makes the whole, by :func:`~flowkit.models.register_model`.

    Needs safetensors: ``pip install "flowkit-core[io]"``.

    Args:
        model: the model, on any device; its architecture must be the one it was made with.
        folder: the folder to write; missing parents are created.

    Raises:
        TypeError: ``model`` is no module.
        ValueError: the model is on the meta device, where it has no weights; a part of it, or a setting, is of a kind
            that cannot be stored; a part was exchanged for one of another class, or of other shapes; or an entry of
            the state dict is no tensor.
        FileExistsError: ``folder`` is a file, or holds anything but a model.
        ImportError: safetensors is not installed.

    Examples:
        >>> import tempfile
        >>> from flowkit.models.registry import create_model
        >>> folder = Path(tempfile.mkdtemp()) / "model"
        >>> save_model(create_model("maf", features=2, hidden=(8,)), folder)
        >>> sorted(file.name for file in folder.iterdir())
        ['config.json', 'model.safetensors']
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"save_model takes a model and a folder, got a {type(model).__name__} for the model")
    safetensors = _safetensors()
    folder = Path(folder)
    config, tensors = _described(model)
    state = {key: _copied(key, value) for key, value in model.state_dict().items()}
    state |= {f"{ARGUMENTS}{key}": _copied(key, value) for key, value in tensors.items()}
    with whole_folder(folder, replaces=(CONFIG, WEIGHTS)) as temporary:
        (temporary / CONFIG).write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")
        (temporary / WEIGHTS).write_bytes(safetensors.save(state, {"format": "pt"}))


def load_model(folder: str | Path) -> nn.Module:
    """Load a model that :func:`save_model` stored.

    Args:
        folder: the folder.

    Returns:
        The model, on the CPU, in evaluation mode, its weights those that were stored, bit by bit, in their dtypes.

    Raises:
        FileNotFoundError: the folder, or one of its two files, is missing.
        ValueError: a file is damaged, the model or its settings are unknown here, or the weights are others than the
            model's; the message names the file, the key, what was expected and what was found.
        ImportError: safetensors is not installed.

    Examples:
        >>> import tempfile
        >>> from flowkit.models.registry import create_model
        >>> folder = Path(tempfile.mkdtemp()) / "model"
        >>> save_model(create_model("maf", features=2, hidden=(8,)), folder)
        >>> load_model(folder).event_shape
        (2,)
    """
    safetensors = _safetensors()
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"{folder}: no such folder; give one that flowkit.save_model wrote")
    config = _read_config(folder / CONFIG)
    path = _require_file(folder / WEIGHTS)
    try:
        state = safetensors.load(path.read_bytes())
    except _safetensor_error() as error:
        raise ValueError(f"{path}: is no valid safetensors file ({error}); get it again") from error
    tensors = {key.removeprefix(ARGUMENTS): state.pop(key) for key in list(state) if key.startswith(ARGUMENTS)}
    try:
        model = create_model(config.name, **config.settings) if isinstance(config, Recipe) else build(config, tensors)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{folder / CONFIG}: {error.args[0]}") from error
    name = f"the model {config.name!r}" if isinstance(config, Recipe) else "the architecture"
    _require_same(path, name, model.state_dict(), state)
    _take_dtypes(model, state)
    model.load_state_dict(state)
    return model.eval()


def _safetensors() -> ModuleType:
    try:
        import safetensors.torch
    except ImportError as error:
        raise ImportError(
            'models are stored and loaded by safetensors, which is not installed: pip install "flowkit-core[io]"'
        ) from error
    return safetensors.torch


def _safetensor_error() -> type[Exception]:
    from safetensors import SafetensorError

    return SafetensorError


def _described(model: nn.Module) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """What ``config.json`` is to hold, and the tensors that it names."""
    from flowkit import __version__

    recipe = recipe_of(model)
    if recipe is not None and not _told_by_its_parts(model, recipe):
        settings = {key: _plain(value, recipe.name, key) for key, value in recipe.settings.items()}
        _require_unchanged(model, recipe.content)
        return {"flowkit": __version__, "model": recipe.name, "settings": settings}, {}
    if arguments_of(model) is None:
        raise ValueError(
            f"this {type(model).__name__} does not know its settings: store a flow or a part of one, and of a wrapper "
            "(torch.compile's, DistributedDataParallel) give the model within"
        )
    architecture, tensors = describe(model)
    with torch.random.fork_rng(devices=[]):
        again = build(architecture, {key: _copied(key, value) for key, value in tensors.items()})
    _require_unchanged(model, content_of(again))
    return {"flowkit": __version__, "architecture": architecture}, tensors


def _require_unchanged(model: nn.Module, made: Mapping[str, object]) -> None:
    """Refuse a model whose modules or tensors are others than it was made with: loading would give those."""
    if content_of(model) != made:
        raise ValueError(
            f"this {type(model).__name__} was changed since it was made, so that it cannot be made again from what its "
            "parts were made with: make it anew of its present parts, then store it"
        )


def _told_by_its_parts(model: nn.Module, recipe: Recipe) -> bool:
    """Whether settings that JSON does not hold, tensors and bijectors, are known from what the model was made of."""
    return arguments_of(model) is not None and any(
        isinstance(value, Tensor | nn.Module) for value in recipe.settings.values()
    )


def _plain(value: Any, model: str, setting: str) -> Any:
    """A setting as JSON will give it back: tuples as lists, everything else unchanged, or refused."""
    if isinstance(value, list | tuple):
        return [_plain(part, model, setting) for part in value]
    if isinstance(value, dict) and all(isinstance(key, str) for key in value):
        return {key: _plain(part, model, setting) for key, part in value.items()}
    finite = not isinstance(value, float) or math.isfinite(value)
    # Not isinstance: an enum that is an integer would come back as a plain one.
    if finite and (value is None or type(value) in (bool, int, float, str)):
        return value
    raise ValueError(
        f"the setting {setting!r} of the model {model!r} holds {value!r}, which cannot be stored: only numbers, texts, "
        "booleans, None, and lists and dicts of those can"
    )


def _copied(key: str, value: Any) -> Tensor:
    if not isinstance(value, Tensor):
        raise ValueError(f"the state dict's entry {key!r} is a {type(value).__name__}; only tensors can be stored")
    if value.is_meta:
        raise ValueError(f"the state dict's entry {key!r} is on the meta device, where it has no values to store")
    # Copies: tensors that share memory cannot be written.
    return value.detach().cpu().contiguous().clone()


def _require_file(path: Path) -> Path:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; a folder that flowkit.save_model wrote has one")
    return path


def _read_config(path: Path) -> Recipe | dict[str, Any]:
    """The recipe, or the description of an architecture."""
    try:
        config = json.loads(_require_file(path).read_text(encoding="utf-8"))
    except ValueError as error:
        raise ValueError(f"{path}: is not valid JSON ({error})") from error
    if not isinstance(config, dict):
        raise ValueError(f"{path}: holds a {type(config).__name__}, expected an object with {', '.join(KEYS)}")
    keys = OF_ARCHITECTURE if "architecture" in config else KEYS
    for key, (kind, meaning) in keys.items():
        if key not in config:
            raise ValueError(f"{path}: has no {key!r}, {meaning}")
        if not isinstance(config[key], kind):
            raise ValueError(f"{path}: {key!r} is {config[key]!r}, expected {meaning}, a {kind.__name__}")
    unknown = [key for key in config if key not in keys]
    if unknown:
        raise ValueError(f"{path}: has {unknown[0]!r}, expected {', '.join(keys)} alone")
    if keys is OF_ARCHITECTURE:
        architecture: dict[str, Any] = config["architecture"]
        return architecture
    before = DEFAULTS_OF_VERSION_0_1.get(config["model"], {}) if config["flowkit"].startswith("0.1.") else {}
    return Recipe(config["model"], {**before, **config["settings"]})


def _require_same(path: Path, name: str, expected: Mapping[str, Any], found: Mapping[str, Tensor]) -> None:
    """The stored tensors must be those that the model has, by name and shape."""
    for key, value in expected.items():
        if key not in found:
            raise ValueError(f"{path}: has no {key!r}, which {name} of {CONFIG} has")
        if found[key].shape != value.shape:
            raise ValueError(
                f"{path}: {key!r} has the shape {tuple(found[key].shape)}, expected {tuple(value.shape)} for "
                f"{name} of {CONFIG}"
            )
    for key in found:
        if key not in expected:
            raise ValueError(f"{path}: has {key!r}, which {name} of {CONFIG} does not have")


def _take_dtypes(model: nn.Module, state: Mapping[str, Tensor]) -> None:
    """Give parameters and buffers the stored dtypes, in place: assigning would part those that a model shares."""
    floating = {value.dtype for value in state.values() if value.is_floating_point()}
    if len(floating) == 1:
        # What is not stored, such as a buffer that only knows where samples are to be drawn, goes with the rest.
        model.to(floating.pop())
    everything = chain(model.named_parameters(remove_duplicate=False), model.named_buffers(remove_duplicate=False))
    for key, value in everything:
        if key in state:
            value.data = value.data.to(state[key].dtype)
