"""Models by name: flowkit's own and those of the installed plugins."""

import inspect
from collections.abc import Callable, Mapping
from difflib import get_close_matches
from typing import Any

from torch import nn

from flowkit.argument_types import require_types
from flowkit.models.named.bnaf import bnaf
from flowkit.models.named.bpf import bpf
from flowkit.models.named.cylindrical_nsf import cylindrical_nsf
from flowkit.models.named.ffjord import ffjord
from flowkit.models.named.flow_matching import flow_matching
from flowkit.models.named.gaussianization import gaussianization
from flowkit.models.named.glow import glow
from flowkit.models.named.iaf import iaf
from flowkit.models.named.jet import jet
from flowkit.models.named.maf import maf
from flowkit.models.named.naf import naf
from flowkit.models.named.ncsf import ncsf
from flowkit.models.named.nice import nice
from flowkit.models.named.nsf import nsf
from flowkit.models.named.realnvp import realnvp
from flowkit.models.named.residual import residual
from flowkit.models.named.sospf import sospf
from flowkit.models.named.spherical_nsf import spherical_nsf
from flowkit.models.named.tarflow import tarflow
from flowkit.models.named.unaf import unaf
from flowkit.models.recipe import Model, P, Recipe, content_of, copied, remembered
from flowkit.plugin import plugins

__all__ = ["create_model", "list_models", "register_model"]

Builder = Callable[..., nn.Module]

BUILT_IN: Mapping[str, Builder] = {
    "ffjord": ffjord,
    "flow_matching": flow_matching,
    "glow": glow,
    "iaf": iaf,
    "jet": jet,
    "maf": maf,
    "ncsf": ncsf,
    "cylindrical_nsf": cylindrical_nsf,
    "nice": nice,
    "nsf": nsf,
    "realnvp": realnvp,
    "residual": residual,
    "tarflow": tarflow,
    "spherical_nsf": spherical_nsf,
    "bnaf": bnaf,
    "bpf": bpf,
    "gaussianization": gaussianization,
    "naf": naf,
    "sospf": sospf,
    "unaf": unaf,
}

_registered: dict[str, Callable[..., Any]] = {}


def list_models() -> list[str]:
    """Names of all models, flowkit's own and those of the installed plugins, sorted.

    Returns:
        The names that :func:`create_model` takes.

    Examples:
        >>> set(list_models()) >= {"ffjord", "glow", "iaf", "maf", "nice", "nsf", "realnvp", "residual"}
        True
    """
    return sorted(_offers())


def create_model(name: str, **settings: Any) -> nn.Module:
    """Build a model by name.

    The model remembers name and settings (as ``model.recipe``), so that :func:`~flowkit.save_model` can store it.

    Args:
        name: one of :func:`list_models`.
        settings: the model's keyword arguments: for flowkit's own models, those of the function of that name.

    Returns:
        The model, freshly initialised; of flowkit's own models a :class:`~flowkit.Flow`.

    Raises:
        KeyError: no model has that name; the message names the nearest one, or all.
        TypeError: a setting is unknown, missing or of the wrong type; the message lists the model's settings.
        ValueError: a setting's value is refused, or several sources offer a model of that name.

    Examples:
        >>> flow = create_model("maf", features=2)
        >>> flow.event_shape
        (2,)
        >>> create_model("mar")
        Traceback (most recent call last):
        ...
        KeyError: "there is no model 'mar'; did you mean 'maf'?"
    """
    require_types(create_model, (name,), {})
    offers = _offers()
    if name not in offers:
        near = get_close_matches(name, offers, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(sorted(offers))}"
        raise KeyError(f"there is no model {name!r}; {hint}")
    if len(offers[name]) > 1:
        sources = " and ".join(offers[name])
        raise ValueError(f"the model {name!r} is offered by {sources}: uninstall a package, or have its model renamed")
    (builder,) = offers[name].values()
    model = _build(name, builder, settings)
    if name not in BUILT_IN and name not in _registered:
        # In the instance's own dictionary: torch's attributes are typed to be tensors and modules.
        vars(model)["recipe"] = Recipe(name, copied(settings), content_of(model))
    return model


def register_model(name: str) -> Callable[[Callable[P, Model]], Callable[P, Model]]:
    """Let :func:`create_model` make models by a function of yours, and their folders be loaded: a decorator.

    What the function makes remembers its arguments, so that :func:`~flowkit.save_model` takes it; a program that
    loads it imports the function's module first. For others, offer it by a :class:`~flowkit.Plugin`.

    Args:
        name: of the model, which no other model has.

    Returns:
        The decorator.

    Raises:
        ValueError: there is a model of that name.

    Examples:
        >>> from flowkit import Flow, Reversal, StandardNormal
        >>> @register_model("reversed normal")
        ... def reversed_normal(features: int) -> Flow:
        ...     return Flow(Reversal(features), StandardNormal(), (features,))
        >>> create_model("reversed normal", features=3).event_shape
        (3,)
    """

    def decorate(builder: Callable[P, Model]) -> Callable[P, Model]:
        before = _registered.get(name)
        # Run again, a cell of a notebook registers the function anew.
        again = before is not None and (before.__module__, before.__qualname__) == (
            builder.__module__,
            builder.__qualname__,
        )
        if name in _offers() and not again:
            raise ValueError(f"there is a model {name!r} already: register this one by another name")
        _registered[name] = remembered(name)(builder)
        return _registered[name]

    return decorate


def _offers() -> dict[str, dict[str, Builder]]:
    """For each model name, its builders, keyed by who offers them."""
    offers: dict[str, dict[str, Builder]] = {name: {"flowkit": builder} for name, builder in BUILT_IN.items()}
    offers |= {name: {"this program": builder} for name, builder in _registered.items()}
    for point, plugin in plugins().items():
        for name, builder in plugin.models.items():
            offers.setdefault(name, {})[f"the plugin {point!r}"] = builder
    return offers


def _build(name: str, builder: Builder, settings: Mapping[str, Any]) -> nn.Module:
    accepted = _accepted(builder)
    try:
        model = builder(**settings)
    except TypeError as error:
        raise TypeError(f"model {name!r} cannot be built: {error}; its settings are: {accepted}") from error
    except ValueError as error:
        raise ValueError(f"model {name!r} cannot be built: {error}; its settings are: {accepted}") from error
    if not isinstance(model, nn.Module):
        raise TypeError(f"what offers the model {name!r} built a {type(model).__name__}, not a torch.nn.Module")
    return model


def _accepted(builder: Builder) -> str:
    """The settings with their defaults, as they would be written in Python."""
    try:
        parameters = inspect.signature(builder).parameters.values()
    except ValueError:
        return "known to its plugin alone"
    return ", ".join(str(p.replace(annotation=inspect.Parameter.empty)) for p in parameters) or "none"
