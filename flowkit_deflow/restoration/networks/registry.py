"""Every restoration network by its name, those of plugins included."""

from collections.abc import Callable
from importlib.metadata import entry_points

from flowkit_deflow.errors import UserError
from flowkit_deflow.restoration.networks.denoiser import Denoiser
from flowkit_deflow.restoration.networks.network import RestorationNetwork
from flowkit_deflow.restoration.networks.residual_net import ResidualNet
from flowkit_deflow.restoration.networks.rrdb_net import RRDBNet
from flowkit_deflow.settings.restoration import RestorerArchitecture

__all__ = ["NETWORKS", "PLUGINS", "build_network"]

Builder = Callable[[RestorerArchitecture], RestorationNetwork]

PLUGINS = "flowkit_deflow.restorers"
"""The group of entry points under which other distributions offer networks: each a callable like those below."""


def _rrdb(settings: RestorerArchitecture) -> RestorationNetwork:
    return RRDBNet(settings.scale, settings.features, settings.blocks, settings.growth, settings.unshuffle)


def _residual(settings: RestorerArchitecture) -> RestorationNetwork:
    return ResidualNet(settings.scale, settings.features, settings.blocks)


def _denoiser(settings: RestorerArchitecture) -> RestorationNetwork:
    if settings.scale != 1:
        raise ValueError(f"network is 'denoiser' and scale {settings.scale}; it works at scale 1 alone")
    return Denoiser(settings.features, settings.blocks)


NETWORKS: dict[str, Builder] = {"residual": _residual, "rrdb": _rrdb, "denoiser": _denoiser}


def build_network(settings: RestorerArchitecture) -> RestorationNetwork:
    """The network that the settings ask for.

    Args:
        settings: its name, which is one of ``NETWORKS`` or an entry point of the group ``flowkit_deflow.restorers``,
            and sizes.

    Raises:
        UserError: no network bears the name, or its settings do not fit.

    Examples:
        >>> build_network(RestorerArchitecture("denoiser", scale=1, features=8, blocks=1)).scale
        1
    """
    plugins = {point.name: point for point in entry_points(group=PLUGINS)}
    if settings.network not in NETWORKS and settings.network not in plugins:
        raise UserError(
            f"restoration network {settings.network!r} is unknown; there are: {', '.join([*NETWORKS, *plugins])}"
        )
    build: Builder = NETWORKS.get(settings.network) or plugins[settings.network].load()
    try:
        return build(settings)
    except ValueError as error:
        raise UserError(f"restoration network {settings.network!r}: {error}") from None
