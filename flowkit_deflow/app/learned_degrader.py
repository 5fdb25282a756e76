"""A degrader that is learned on the way to a restoration network."""

from dataclasses import replace
from pathlib import Path

from flowkit_deflow.settings.presets import DEFAULT_PRESET, preset
from flowkit_deflow.settings.restoration import RestorerRun
from flowkit_deflow.training.trainer import train

__all__ = ["learn_degrader"]


def learn_degrader(run: RestorerRun, degraded: Path, out: Path, name: str | None) -> list[str]:
    """Train a DeFlow on the clean images, as small as the degraded ones, and on the degraded ones; or go on with it.

    Args:
        run: the restoration network's settings: clean images, scale, seed.
        degraded: folder of degraded images.
        out: folder of the degrader's run.
        name: its preset; ``None`` for the usual one.

    Returns:
        A message for each image that could not be used.

    Raises:
        UserError: a folder or setting does not fit.
    """
    settings = preset(name or DEFAULT_PRESET)
    data = replace(
        settings.data,
        clean=run.data.clean,
        degraded=str(degraded),
        clean_downsample=(run.architecture.scale,),
        strict=run.data.strict,
    )
    training = replace(settings.training, seed=run.training.seed, accelerator=run.training.accelerator)
    _, problems = train(replace(settings, data=data, training=training), out)
    return problems
