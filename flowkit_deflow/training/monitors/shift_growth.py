"""Whether the latent shift still grows: it starts small, and its covariance is the last to be learned."""

import torch

from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.monitors.history import History, Scalars
from flowkit_deflow.training.monitors.monitor import Finding, Monitor
from flowkit_deflow.training.monitors.snapshot import Snapshot

__all__ = ["SHIFT_GROWTH"]

# Growth of the shift's variance over the second half of the training.
STILL_GROWING = 0.1


@torch.no_grad()
def measure(snapshot: Snapshot) -> Scalars:
    """Mean and largest eigenvalue of ``M M^T``, over all levels."""
    values = torch.cat([torch.linalg.svdvals(shift.factor) ** 2 for shift in snapshot.model.latents.shifts])
    return {"shift_mean_eigenvalue": float(values.mean()), "shift_largest_eigenvalue": float(values.max())}


def find(history: History, run: Run) -> Finding | None:
    """Whether the eigenvalues are about what they were half-way."""
    before, now = history.at_half("shift_mean_eigenvalue"), history.last("shift_mean_eigenvalue")
    if not before > 0:
        return None
    growth = now / before - 1
    measured = f"mean {now:.3g}, largest {history.last('shift_largest_eigenvalue'):.3g}; {growth:+.0%} since half-way"
    if growth > STILL_GROWING:
        return Finding(
            measured,
            "the shift still grows: train longer, or raise architecture.shift_start and training.shift_rate_factor",
        )
    return Finding(measured)


SHIFT_GROWTH = Monitor("eigenvalues of the shift's covariance", measure, find)
