"""Every restoration network by its name, those of plugins included."""

from collections.abc import Callable
from importlib.metadata import EntryPoint, entry_points

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

# What restoring in tiles asks a network for.
NUMBERS = ("scale", "margin", "alignment")


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
        UserError: no network bears the name, its settings do not fit, or a plugin cannot be loaded or lacks what a
            :class:`RestorationNetwork` has.

    Examples:
        >>> build_network(RestorerArchitecture("denoiser", scale=1, features=8, blocks=1)).scale
        1
    """
    if settings.network in NETWORKS:
        try:
            return NETWORKS[settings.network](settings)
        except ValueError as error:
            raise UserError(f"restoration network {settings.network!r}: {error}") from None
    plugins = {point.name: point for point in entry_points(group=PLUGINS)}
    if settings.network not in plugins:
        raise UserError(
            f"restoration network {settings.network!r} is unknown; there are: {', '.join([*NETWORKS, *plugins])}"
        )
    return _of_plugin(plugins[settings.network], settings)


def _of_plugin(point: EntryPoint, settings: RestorerArchitecture) -> RestorationNetwork:
    """What an entry point builds, checked: it was written elsewhere."""
    named = f"restoration network {point.name!r}, entry point '{point.value}'"
    try:
        build: Builder = point.load()
    except (ImportError, AttributeError) as error:
        raise UserError(f"{named}: cannot be loaded ({_line(error)}); repair or remove its distribution") from error
    try:
        network = build(settings)
    except (TypeError, ValueError) as error:
        raise UserError(f"{named}: cannot be made with these settings ({_line(error)})") from error
    for name in NUMBERS:
        if not isinstance(getattr(network, name, None), int):
            raise UserError(
                f"{named}: what it makes has no whole number {name!r}; derive it from {RestorationNetwork.__module__}."
                f"RestorationNetwork, which says what {', '.join(NUMBERS)} are"
            )
    if network.scale != settings.scale:
        raise UserError(f"{named}: enlarges {network.scale} times; set architecture.scale to {network.scale}")
    return network


def _line(error: Exception) -> str:
    return " ".join(str(error).split())
