"""Published restoration networks: RRDBNets of ESRGAN, RealSR and Real-ESRGAN, and what spandrel knows."""

import re
from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from flowkit_deflow.errors import UserError
from flowkit_deflow.restoration.networks.registry import build_network
from flowkit_deflow.restoration.networks.spandrel_network import spandrel_network
from flowkit_deflow.restoration.restorer import Restorer
from flowkit_deflow.settings.restoration import RestorerArchitecture
from flowkit_deflow.state_files import read_state
from flowkit_deflow.weights.rrdb_weights import to_original_names

__all__ = ["load_restorer", "rrdb_restorer"]

# A part of a block, under ESRGAN's original names, the newer ones or the older ones.
_RRDB = re.compile(r"(RRDB_trunk\.\d+\.RDB|body\.\d+\.rdb|model\.1\.sub\.\d+\.RDB)\d\.")
_BLOCK = re.compile(r"^RRDB_trunk\.(\d+)\.")
COLOURS = 3


def load_restorer(path: Path) -> Restorer:
    """A restorer from a model folder, a run's folder, or a file of published weights.

    Weights of RRDBNets become this package's own network; others are recognised by spandrel, where it is installed.

    Args:
        path: the folder or file.

    Returns:
        The restorer in evaluation mode, on the CPU.

    Raises:
        UserError: there is nothing to read, or it is no restoration network.
    """
    if not path.is_file():
        return Restorer.from_pretrained(path)
    state = read_state(path)
    if any(_RRDB.search(key) for key in state):
        return rrdb_restorer(state, str(path))
    network = spandrel_network(state, str(path))
    return Restorer(RestorerArchitecture("spandrel", network.scale), network).eval()


@torch.no_grad()
def rrdb_restorer(state: Mapping[str, Tensor], source: str) -> Restorer:
    """An RRDBNet from published weights, its size read off their shapes; half precision is widened.

    Args:
        state: the weights, under ESRGAN's original names, the newer ones or the older ones, with any prefix.
        source: where they are from, for messages.

    Returns:
        The restorer in evaluation mode.

    Raises:
        UserError: these are no RRDBNet's weights, or a key is missing, unknown or misshapen.

    References:
        X. Wang et al., "ESRGAN: Enhanced Super-Resolution Generative Adversarial Networks", ECCV workshops 2018.
        X. Ji, Y. Cao, Y. Tai, C. Wang, J. Li, F. Huang, "Real-World Super-Resolution via Kernel Estimation and Noise
        Injection", CVPR workshops 2020.
        X. Wang, L. Xie, C. Dong, Y. Shan, "Real-ESRGAN: Training Real-World Blind Super-Resolution with Pure Synthetic
        Data", ICCV workshops 2021.

    Examples:
        >>> from flowkit_deflow.restoration.networks.rrdb_net import RRDBNet
        >>> network = RRDBNet(scale=2, features=8, blocks=1, growth=4)
        >>> rrdb_restorer(network.state_dict(), "weights.pth").scale
        2
    """
    named = to_original_names(state)
    architecture = _architecture_of(named, source)
    network = build_network(architecture)
    own = network.state_dict()
    for key in sorted(own.keys() ^ named.keys()):
        raise UserError(f"{source}: key {key!r} is {'missing' if key in own else 'unknown'}; this is no RRDBNet")
    for key, value in own.items():
        if named[key].shape != value.shape:
            raise UserError(f"{source}: {key!r} has shape {tuple(named[key].shape)}, expected {tuple(value.shape)}")
        value.copy_(named[key])
    return Restorer(architecture, network).eval()


def _architecture_of(named: Mapping[str, Tensor], source: str) -> RestorerArchitecture:
    """The sizes of the RRDBNet that some weights are of.

    Raises:
        UserError: they are of none.
    """
    numbers = {int(found[1]) for key in named if (found := _BLOCK.match(key))}
    growing, first = named.get("RRDB_trunk.0.RDB1.conv1.weight"), named.get("conv_first.weight")
    if growing is None or first is None or growing.ndim != 4 or first.ndim != 4:
        raise UserError(f"{source}: holds no RRDB blocks; give the weights of an ESRGAN RRDBNet")
    # A network is as large as its weights: none is built for a number that stands in a name alone.
    if numbers != set(range(len(numbers))):
        raise UserError(f"{source}: its RRDB blocks are numbered {sorted(numbers)}; this is no RRDBNet")
    features, channels = first.shape[:2]
    # Pixels side by side are stacked as channels, in blocks of 1, 2 x 2 or 4 x 4.
    unshuffle = round((channels / COLOURS) ** 0.5)
    enlargements = sum(re.fullmatch(r"upconv\d+\.weight", key) is not None for key in named)
    if unshuffle not in (1, 2, 4) or 2**enlargements < unshuffle:
        raise UserError(
            f"{source}: takes images of {channels} channels and enlarges them {enlargements} times by 2; an RRDBNet "
            "takes 3, 12 or 48 channels, and makes images of no smaller size"
        )
    scale = 2**enlargements // unshuffle
    return RestorerArchitecture("rrdb", scale, features, len(numbers), growing.shape[0], unshuffle)
