"""How a training that ends early says why, whatever is trained."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from flowkit_deflow.errors import UserError
from flowkit_deflow.training.interrupt import StopBetweenSteps
from flowkit_deflow.training.loader import is_lost_worker

__all__ = ["require_accelerator", "told_plainly"]


def require_accelerator(name: str) -> None:
    """Check that a GPU which is asked for is there.

    Raises:
        UserError: it is not.

    Examples:
        >>> require_accelerator("cpu")
    """
    if name in ("gpu", "cuda") and not torch.accelerator.is_available():
        raise UserError(
            f"setting 'training.accelerator' is {name!r}, but PyTorch sees no GPU here; set it to 'cpu' or 'auto'"
        )


@contextmanager
def told_plainly(out: Path, stop: StopBetweenSteps, without_a_worker: str) -> Iterator[None]:
    """Listen for signals while steps are made; what ends them early is told in a sentence.

    Args:
        out: folder of the run.
        stop: listens for the signals.
        without_a_worker: what to do where a data-loader process was killed, for the message.

    Raises:
        UserError: the run cannot be written, or a data-loader process was killed.
        KeyboardInterrupt: it was stopped by Ctrl-C.
        SystemExit: it was stopped by SIGTERM.
    """
    try:
        with stop.listening():
            yield
    except (OSError, RuntimeError) as error:
        if is_lost_worker(error):
            raise UserError(
                f"a data-loader process was killed, most often since memory ran out; {without_a_worker}"
            ) from None
        if isinstance(error, RuntimeError):
            raise
        raise UserError(
            f"{out}: cannot be written ({error.strerror or error}); free some space or choose another --out"
        ) from None
    except (SystemExit, KeyboardInterrupt):
        # Lightning answers Ctrl-C with an exit status: the caller is to know what happened.
        raise stop.reason() from None
