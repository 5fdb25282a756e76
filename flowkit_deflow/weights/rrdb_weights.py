"""RRDB weights from elsewhere, under any of their usual namings."""

import re
from collections.abc import Mapping

import torch
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.method.rrdb import RRDBEncoder

__all__ = ["load_rrdb", "to_original_names"]

_NEWER = (
    (re.compile(r"^body\.(\d+)\.rdb(\d)\."), r"RRDB_trunk.\1.RDB\2."),
    (re.compile(r"^conv_body\."), "trunk_conv."),
    (re.compile(r"^conv_up(\d)\."), r"upconv\1."),
    (re.compile(r"^conv_hr\."), "HRconv."),
)
_OLDER = (
    (re.compile(r"^model\.1\.sub\.(\d+)\.RDB(\d)\.conv(\d)\.0\."), r"RRDB_trunk.\1.RDB\2.conv\3."),
    (re.compile(r"^model\.1\.sub\.\d+\.(weight|bias)$"), r"trunk_conv.\1"),
)
_OLDER_FIRST = "model.1.sub.0.RDB1.conv1.0.weight"
_OLDER_LAYER = re.compile(r"^model\.(\d+)\.(weight|bias)$")


def to_original_names(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """RRDB weights under ESRGAN's original key names.

    Args:
        state: weights under the original names, the newer ones (``body.N.rdb1.conv1``, ``conv_body``, ``conv_up1``,
            ...) or the older ones (``model.1.sub.N.RDB1.conv1.0``, ``model.3``, ...), all of them with the same prefix
            (``module.``, ``RRDB.``, ...) or without.

    Returns:
        The same tensors; keys that no naming knows stay as they are, keys outside the prefix are left out.

    Raises:
        UserError: there is no ``conv_first.weight``, so these are no RRDB weights.

    Examples:
        >>> list(to_original_names({"g.conv_first.weight": torch.ones(1), "g.body.3.rdb2.conv1.bias": torch.ones(1)}))
        ['conv_first.weight', 'RRDB_trunk.3.RDB2.conv1.bias']
    """
    state = _from_older_names(state)
    first = next((key for key in state if key.endswith("conv_first.weight")), None)
    if first is None:
        raise UserError(
            "these are no RRDB weights: no key ends in 'conv_first.weight'; give those of an ESRGAN RRDBNet"
        )
    prefix = first.removesuffix("conv_first.weight")
    renamed = {}
    for key, value in state.items():
        if key.startswith(prefix):
            name = key.removeprefix(prefix)
            for pattern, replacement in _NEWER:
                name = pattern.sub(replacement, name)
            renamed[name] = value
    return renamed


def _from_older_names(state: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
    """Weights under the names of ESRGAN's first program, which numbers layers, renamed; others stay as they are."""
    block = next((key for key in state if key.endswith(_OLDER_FIRST)), None)
    if block is None:
        return state
    prefix = block.removesuffix(_OLDER_FIRST)
    own = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    # Enlargements and activations are numbered as well: the order tells which convolution is which.
    _, *later = sorted({int(found[1]) for key in own if (found := _OLDER_LAYER.match(key))} | {0})
    enlarging = [f"upconv{number}" for number in range(1, len(later) - 1)]
    names = {0: "conv_first", **dict(zip(later, [*enlarging, "HRconv", "conv_last"], strict=False))}
    renamed = {}
    for key, value in own.items():
        name = _OLDER_LAYER.sub(lambda found: f"{names[int(found[1])]}.{found[2]}", key)
        for pattern, replacement in _OLDER:
            name = pattern.sub(replacement, name)
        renamed[name] = value
    return renamed


@torch.no_grad()
def load_rrdb(encoder: RRDBEncoder, state: Mapping[str, Tensor]) -> None:
    """Load RRDB weights into an encoder, every key accounted for; half precision is widened.

    Args:
        encoder: the encoder.
        state: the weights, key to tensor, under any naming that ``to_original_names`` knows, with any prefix that
            all of them share.

    Raises:
        UserError: an unknown, missing or misshapen key, by name.

    References:
        X. Wang, K. Yu, S. Wu, J. Gu, Y. Liu, C. Dong, Y. Qiao, C. C. Loy, "ESRGAN: Enhanced Super-Resolution Generative
        Adversarial Networks", ECCV workshops 2018.

    Examples:
        >>> settings = {"features": 8, "growth": 4, "blocks": 1, "stack_blocks": ()}
        >>> source, target = RRDBEncoder(**settings), RRDBEncoder(**settings)
        >>> load_rrdb(target, source.state_dict(prefix="module."))
        >>> torch.equal(target.conv_first.weight, source.conv_first.weight)
        True
    """
    renamed = to_original_names(state)
    own = encoder.state_dict(keep_vars=True)
    for key in renamed:
        if key not in own:
            raise UserError(
                f"RRDB weights: unknown key {key!r}; does the encoder have as many blocks and the same scale?"
            )
    for key, target in own.items():
        if key not in renamed:
            raise UserError(
                f"RRDB weights: key {key!r} is missing; does the encoder have as many blocks and the same scale?"
            )
        if renamed[key].shape != target.shape:
            raise UserError(
                f"RRDB weights: {key!r} has shape {tuple(renamed[key].shape)}, expected {tuple(target.shape)}; "
                "set encoder_features and encoder_growth to fit"
            )
    for key, target in own.items():
        target.copy_(renamed[key])
