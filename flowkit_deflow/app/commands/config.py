"""``deflow config``."""

from typing import Annotated

import typer

from flowkit_deflow.errors import listed
from flowkit_deflow.settings.presets import DEFAULT_PRESET, PRESETS

__all__ = ["config"]


def config(
    preset: Annotated[str, typer.Option(help=f"{listed(PRESETS, 'or')}.")] = DEFAULT_PRESET,
) -> None:
    """Print every setting of a preset with its meaning, unit and default, as YAML for deflow train --config."""
    from flowkit_deflow.settings.commented import commented_yaml
    from flowkit_deflow.settings.presets import preset as named

    typer.echo(commented_yaml(named(preset)), nl=False)
