"""The settings that a restorer's run is asked for with, and the degrader that it learns for itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flowkit_deflow.app.learned_degrader import kind_of_run, learn_for_restorer, require_kind
from flowkit_deflow.errors import UserError
from flowkit_deflow.files import write_text
from flowkit_deflow.restoration.training.trainer import SETTINGS, loop_of, require_trainable
from flowkit_deflow.settings.config_file import read_config
from flowkit_deflow.settings.restoration import RestorerRun
from flowkit_deflow.settings.restoration_presets import restorer_preset
from flowkit_deflow.settings.text import assignments, override, read_settings, to_yaml
from flowkit_deflow.training.lightning_trainer import require_usable
from flowkit_deflow.training.run_settings import goes_on, has_begun, require_no_other_run

__all__ = ["require_machine", "settings_to_start_from", "with_own_degrader"]

DEFAULT_PRESET = "small"


def settings_to_start_from(out: Path, preset: str | None, config: Path | None, begins: bool) -> RestorerRun:
    """The settings of a preset or a file; where neither is named, of the run that goes on.

    Args:
        out: folder of the run.
        preset: name of a preset.
        config: a file of settings, instead of a preset.
        begins: the command says what a new run needs.

    Raises:
        UserError: the preset is unknown, the file does not fit, or the folder holds a run of another kind.
    """
    recorded = out / SETTINGS
    require_no_other_run(recorded)
    if preset is None and config is None and goes_on(recorded, begins):
        return read_settings(RestorerRun, recorded)
    return restorer_preset(preset or DEFAULT_PRESET) if config is None else read_config(RestorerRun, config)


def require_machine(run: RestorerRun, out: Path) -> None:
    """Check that a run can be trained on this machine, before anything is learned or written for it.

    Raises:
        UserError: it cannot.
    """
    require_usable(loop_of(run.training), out)


def with_own_degrader(
    run: RestorerRun, kind: str | None, degraded: Path | None, out: Path, preset: str | None
) -> tuple[RestorerRun, list[str]]:
    """Learn the degrader in ``out/degrader`` that a run is to have for itself, or go on with it.

    Args:
        run: the restorer's settings.
        kind: the degrader's kind; ``None`` for that of the run which goes on, otherwise DeFlow.
        degraded: folder of degraded images to learn from; ``None``: that of the run that goes on.
        out: folder of the restorer's run.
        preset: the degrader's; ``None`` for the run's, or the usual one.

    Returns:
        The settings with the degrader, the same if they need none of their own, and a message for each image that
        could not be used.

    Raises:
        UserError: a folder or setting does not fit, the restorer's among them: that is told before it is learned.
    """
    own = out / "degrader"
    data = run.data
    given = data.degrader is not None and Path(data.degrader) != own / "model"
    if data.degraded is not None or (given and not own.is_dir()):
        for option, value in (("--degrader", kind), ("--degrader-preset", preset), ("--degraded", degraded)):
            if value is not None:
                there = data.degrader if data.degraded is None else f"pairs with {data.degraded}"
                raise UserError(f"{option} {value}: no degrader is learned, the settings name {there}; leave it out")
        return run, []
    run = override(run, assignments({"data.degrader": own / "model"}))
    if kind is None and degraded is None and preset is None and (own / "model").is_dir():
        return run, []
    kind = kind or kind_of_run(own)
    require_kind(kind, preset)
    require_trainable(run, of_kind=kind)
    if has_begun(out / SETTINGS):
        return run, learn_for_restorer(run, kind, degraded, own, preset)
    with _kept_if_begun(run, out, own):
        return run, learn_for_restorer(run, kind, degraded, own, preset)


@contextmanager
def _kept_if_begun(run: RestorerRun, out: Path, own: Path) -> Iterator[None]:
    """Keep the settings while the degrader is learned: stopped, the run goes on as it was begun.

    If the learning never begins, or a command that would go on with it is refused, what was there before is left.
    """
    recorded = out / SETTINGS
    before = recorded.read_text(encoding="utf-8") if recorded.exists() else None
    is_new = not out.exists()
    write_text(recorded, to_yaml(run))
    try:
        yield
    except UserError:
        if before is not None:
            write_text(recorded, before)
        raise
    finally:
        if before is None and not own.exists():
            recorded.unlink()
            if is_new:
                out.rmdir()
