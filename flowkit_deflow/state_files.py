"""Files of weights, read without running anything that is in them."""

import io
import pickle
import struct
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialize
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.files import atomic_path

__all__ = ["pickled", "read_state", "unpickled", "write_state"]

# What PyTorch's unpickler raises on a damaged file, as random damage to real files shows; UnpicklingError apart.
_DAMAGED = (
    AssertionError,
    AttributeError,
    EOFError,
    LookupError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    struct.error,
    zipfile.BadZipFile,
)

# Under these keys, training code of other projects wraps the state dict.
WRAPPERS = ("params_ema", "params", "state_dict")


def read_state(path: Path) -> dict[str, Tensor]:
    """A state dict from ``.safetensors``, or from a pickle (``.pth``, ``.pt``) by PyTorch's restricted unpickler.

    Args:
        path: the file. A dict under ``params_ema``, ``params`` or ``state_dict`` is unwrapped.

    Returns:
        Key to tensor, on the CPU.

    Raises:
        UserError: the file is missing or damaged, or holds anything but tensors by name; nothing of it is run.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"{path}: no such file; give a .safetensors, .pth or .pt file of weights")
    if path.suffix == ".safetensors":
        try:
            return load_file(path)
        except SafetensorError as error:
            raise UserError(f"{path}: is no valid safetensors file ({error}); get it again") from None
    state = unpickled(path, "save its state dict alone, best as .safetensors", "get it again")
    for wrapper in WRAPPERS:
        if isinstance(state, dict) and isinstance(state.get(wrapper), dict):
            state = state[wrapper]
            break
    plain = isinstance(state, dict) and all(isinstance(k, str) and isinstance(v, Tensor) for k, v in state.items())
    if not plain or not state:
        raise UserError(f"{path}: is not a plain state dict (names and tensors); save model.state_dict() alone")
    return dict(state)


def unpickled(path: Path, if_refused: str, if_damaged: str) -> Any:
    """What PyTorch's restricted unpickler reads from a file: tensors, numbers, texts and containers, on the CPU.

    Args:
        path: the file.
        if_refused: what to do, for the message, if it holds anything else.
        if_damaged: what to do if it cannot be read.

    Raises:
        UserError: one of the two; nothing of it is run.
    """
    try:
        with warnings.catch_warnings():
            # PyTorch wonders at the protocol of pickles that it did not write; what is wrong with them is told below.
            warnings.filterwarnings("ignore", message="Detected pickle protocol")
            return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:
        raise UserError(
            f"{path}: holds more than plain weights, or is damaged, and was refused: nothing in it was run; "
            f"{if_refused}"
        ) from None
    except _DAMAGED as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise UserError(f"{path}: cannot be read as PyTorch weights ({reason}); {if_damaged}") from None


def write_state(path: Path, state: dict[str, Tensor]) -> None:
    """Write a state dict as ``.safetensors``, or as a pickle for ``.pth`` and ``.pt``; atomically.

    Raises:
        UserError: another suffix, or the file cannot be written.
    """
    path = Path(path)
    # Copies: tensors that share memory cannot be written as safetensors, and views drag along all of it in a pickle.
    state = {k: v.detach().cpu().clone(memory_format=torch.contiguous_format) for k, v in state.items()}
    if path.suffix == ".safetensors":
        data = serialize(state)
    elif path.suffix in (".pth", ".pt"):
        data = pickled(state)
    else:
        raise UserError(f"{path}: unknown suffix {path.suffix!r} for weights; use .safetensors or .pth")
    # Written as bytes: the libraries' own writers report a full disk each in its own way.
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)


def pickled(value: Any) -> bytes:
    """What ``torch.save`` would write.

    Examples:
        >>> len(pickled({"a": torch.zeros(1)})) > 0
        True
    """
    buffer = io.BytesIO()
    torch.save(value, buffer)
    return buffer.getvalue()
