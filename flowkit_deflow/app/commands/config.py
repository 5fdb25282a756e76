"""``deflow config``."""

from typing import Annotated

import typer

from flowkit_deflow.errors import UserError, listed
from flowkit_deflow.settings.presets import DEFAULT_PRESET, PRESETS

__all__ = ["config"]


def config(
    preset: Annotated[
        str | None,
        typer.Option(
            help=f"{listed(PRESETS, 'or')}; other degraders and restoration networks have presets of their own.",
            show_default=DEFAULT_PRESET,
        ),
    ] = None,
    degrader: Annotated[
        str | None,
        typer.Option(help="Kind of degrader: none, white, camera, impressionism, ...", show_default="deflow"),
    ] = None,
    restorer: Annotated[
        bool, typer.Option("--restorer", help="Of a restoration network, for deflow restorer train --config.")
    ] = False,
) -> None:
    """Print every setting of a preset with its meaning, unit and default, as YAML for deflow train --config."""
    from flowkit_deflow.app.learned_degrader import preset_of
    from flowkit_deflow.method.model import DeFlow
    from flowkit_deflow.settings.commented import commented_yaml
    from flowkit_deflow.settings.restoration_presets import restorer_preset

    if restorer:
        if degrader is not None:
            raise UserError("--degrader and --restorer are two kinds of settings; give one of them")
        text = commented_yaml(restorer_preset(preset or DEFAULT_PRESET), "deflow restorer train")
    else:
        command = "deflow train" if degrader is None else f"deflow train --degrader {degrader}"
        text = commented_yaml(preset_of(degrader or DeFlow.kind, preset), command)
    typer.echo(text, nl=False)
