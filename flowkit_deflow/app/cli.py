"""The ``deflow`` command."""

import io
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from typing import Annotated

import typer

from flowkit_deflow.app.commands.config import config
from flowkit_deflow.app.commands.convert import convert
from flowkit_deflow.app.commands.degrade import degrade
from flowkit_deflow.app.commands.demo import demo
from flowkit_deflow.app.commands.downsample import downsample
from flowkit_deflow.app.commands.evaluate import evaluate
from flowkit_deflow.app.commands.infer_shift import infer_shift
from flowkit_deflow.app.commands.info import info
from flowkit_deflow.app.commands.kernels import kernels
from flowkit_deflow.app.commands.metrics import metrics
from flowkit_deflow.app.commands.pairs import pairs
from flowkit_deflow.app.commands.preference import preference
from flowkit_deflow.app.commands.report import report
from flowkit_deflow.app.commands.restore import restore
from flowkit_deflow.app.commands.restorer import restorer
from flowkit_deflow.app.commands.sample import sample
from flowkit_deflow.app.commands.train import train
from flowkit_deflow.errors import UserError
from flowkit_deflow.training.memory import keep_freed_memory

__all__ = ["app", "main"]

# In the order of the help.
COMMANDS = (
    train,
    config,
    degrade,
    restore,
    sample,
    pairs,
    evaluate,
    metrics,
    preference,
    report,
    infer_shift,
    convert,
    info,
    downsample,
    kernels,
    demo,
)

# The shells' exit statuses after Ctrl-C, which is also Typer's, and after SIGTERM.
STOPPED = (130, 143)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"deflow {version('flowkit-deflow')}")
        raise typer.Exit


app = typer.Typer(
    name="deflow",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
for command in COMMANDS:
    app.command()(command)
app.add_typer(restorer, name="restorer")


@app.callback()
def options(
    _version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_show_version, help="Say which version this is.")
    ] = False,
) -> None:
    """Learn realistic image degradations from unpaired photographs, and apply them."""


def main() -> None:
    """Run the command; a mistake in what was asked for becomes one line and exit status 2."""
    keep_freed_memory()
    for stream in (sys.stdout, sys.stderr):
        # Names of files that the terminal has no letters for are shown with escapes.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    # Importing Lightning sets the level of its own logger, but not of these below it.
    for package in ("pytorch_lightning", "lightning_fabric"):
        logging.getLogger(f"{package}.utilities.rank_zero").setLevel(logging.WARNING)
    log = logging.getLogger("flowkit_deflow")
    log.setLevel(logging.INFO)
    echo = _Echo()
    log.addHandler(echo)
    # Deprecations inside Lightning and advice about worker counts are not the user's concern.
    warnings.filterwarnings("ignore", module="pytorch_lightning")
    warnings.filterwarnings("ignore", message=".*isinstance.treespec, LeafSpec.*")
    warnings.filterwarnings("ignore", message="This DataLoader will create")
    threading.excepthook = _in_thread
    try:
        with _ending_on_sigterm():
            _run()
    except UserError as error:
        sys.stderr.write(f"deflow: {' '.join(str(error).split())}\n")
        sys.exit(2)
    except SystemExit as end:
        if end.code in STOPPED:
            commands = "train, restorer train, kernels and what writes a manifest"
            sys.stderr.write(f"deflow: stopped; {commands} go on when given again\n")
        raise
    finally:
        log.removeHandler(echo)


def _run() -> None:
    if "" in sys.argv[1:]:
        raise UserError("an argument is empty; was a variable of the shell not set?")
    app(prog_name="deflow")


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """End as after Ctrl-C, so that what is half-written is cleared away."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(_number: int, _frame: object) -> None:
        raise SystemExit(STOPPED[1])

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


class _Echo(logging.Handler):
    """Shows what the package has to say, among what the command prints; the same thing once."""

    def __init__(self) -> None:
        super().__init__()
        self.told: set[str] = set()

    def emit(self, record: logging.LogRecord) -> None:
        message = record.getMessage()
        if message not in self.told:
            self.told.add(message)
            typer.echo(message)


def _in_thread(failure: threading.ExceptHookArgs) -> None:
    """Leave out the traceback of TensorBoard's writing thread on a full disk: the main thread meets the same error."""
    if not issubclass(failure.exc_type, OSError):
        threading.__excepthook__(failure)
