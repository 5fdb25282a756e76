"""How far a training has come, on a terminal or in a log."""

import sys
import time
from typing import Any

import pytorch_lightning as pl
from pytorch_lightning.callbacks import Callback
from tqdm import tqdm

__all__ = ["Progress", "ProgressBar", "ProgressLines", "duration", "progress_for"]

LINES_EVERY = 30.0  # seconds
# The first steps of a process are slower: the data loader starts, memory is taken, kernels are chosen.
FIRST_STEPS = 3
TIMED_STEPS = 10


class Progress(Callback):
    """Counts the steps of this process, and says once how long the rest will take on this machine.

    Attributes:
        start: the step that the run went on from.
        steps: the steps that it is to come to.
    """

    def __init__(self) -> None:
        self.start = 0
        self.steps = 0
        self._timed_from = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """From where, and how far."""
        self.start, self.steps = trainer.global_step, int(trainer.max_steps)

    def on_train_batch_end(self, trainer: pl.Trainer, module: Any, outputs: Any, batch: Any, batch_idx: int) -> None:
        """Show the step; after some of them, the time for the rest."""
        made = trainer.global_step - self.start
        if made == FIRST_STEPS:
            self._timed_from = time.monotonic()
        if made == FIRST_STEPS + TIMED_STEPS:
            seconds = (time.monotonic() - self._timed_from) / TIMED_STEPS
            left = self.steps - trainer.global_step
            self.say(
                f"A step takes {seconds:.2g} s here: about {duration(seconds * left)} for the {left} that are left"
            )
        self.show(trainer.global_step, _scalars(trainer))

    def say(self, text: str) -> None:
        """Show a line of text."""
        sys.stdout.write(f"{text}\n")
        sys.stdout.flush()

    def show(self, step: int, scalars: str) -> None:
        """Show a step and its scalars."""


class ProgressBar(Progress):
    """A bar on a terminal, which counts from where the run goes on."""

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Draw the bar."""
        super().on_train_start(trainer, pl_module)
        self._bar = tqdm(
            initial=self.start, total=self.steps, desc="training", unit=" step", file=sys.stdout, dynamic_ncols=True
        )

    def show(self, step: int, scalars: str) -> None:
        """Move the bar."""
        self._bar.set_postfix_str(scalars, refresh=False)
        self._bar.update(step - self._bar.n)

    def say(self, text: str) -> None:
        """Show a line above the bar."""
        self._bar.write(text, file=sys.stdout)

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Leave the bar as it is."""
        self._bar.close()

    def on_exception(self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException) -> None:
        """Leave the bar as it is: what is told next has a line of its own."""
        if hasattr(self, "_bar"):
            self._bar.close()


class ProgressLines(Progress):
    """A line every half minute, and one for the last step.

    Args:
        every: seconds between two lines.
    """

    def __init__(self, every: float = LINES_EVERY) -> None:
        super().__init__()
        self.every = every
        self._begun = self._told = 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start the clock."""
        super().on_train_start(trainer, pl_module)
        self._begun = self._told = time.monotonic()

    def show(self, step: int, scalars: str) -> None:
        """A line, if the last one is long enough ago."""
        now = time.monotonic()
        if now - self._told < self.every and step < self.steps:
            return
        self._told = now
        seconds = (now - self._begun) / (step - self.start)
        left = f"{duration(seconds * (self.steps - step))} left" if step < self.steps else ""
        parts = (f"step {step} of {self.steps}", left, f"{seconds:.2g} s a step", scalars)
        self.say(", ".join(part for part in parts if part))


def progress_for(terminal: bool) -> Progress:
    """A bar for a terminal, lines for anything else."""
    return ProgressBar() if terminal else ProgressLines()


def duration(seconds: float) -> str:
    """A time as one says it.

    Examples:
        >>> duration(42), duration(1500), duration(20000)
        ('42 s', '25 min', '5 h 33 min')
    """
    if seconds < 100:
        return f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    return f"{minutes // 60} h {minutes % 60} min" if minutes >= 100 else f"{minutes} min"


def _scalars(trainer: pl.Trainer) -> str:
    """What the training step shows of itself."""
    return ", ".join(f"{name} {float(value):.4g}" for name, value in trainer.progress_bar_metrics.items())
