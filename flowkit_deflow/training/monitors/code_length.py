"""Code length of held-out images: whether the network still learns, or has begun to know its own images by heart."""

from flowkit_deflow.method.latents import Domain
from flowkit_deflow.settings.schema import Run
from flowkit_deflow.training.monitors.history import History, Scalars
from flowkit_deflow.training.monitors.monitor import Finding, Monitor
from flowkit_deflow.training.monitors.snapshot import Snapshot

__all__ = ["CODE_LENGTH"]

# Bits per dimension by which the code length may have risen again: that of the same crops scatters by less.
RISEN = 0.03


def measure(snapshot: Snapshot) -> Scalars:
    """Mean bits per dimension of each domain's crops."""
    return {f"bits_{domain.name.lower()}": float(bits.mean()) for domain, bits in snapshot.bits.items()}


def find(history: History, run: Run) -> Finding | None:
    """Whether the code length of both domains together has risen again."""
    clean, degraded = (dict(history.series(f"bits_{domain.name.lower()}")) for domain in Domain)
    if not clean:
        return None
    together = {step: clean[step] + degraded[step] for step in clean}
    best = min(together, key=lambda step: (together[step], step))
    measured = (
        f"{history.last('bits_clean'):.3f} bits per dimension clean, {history.last('bits_degraded'):.3f} degraded"
    )
    if together[history.steps] - together[best] <= 2 * RISEN:
        return Finding(measured)
    return Finding(
        f"{measured}; shortest after {best} steps",
        f"the network has begun to know its own images by heart: give it more of them, or training.steps={best}",
    )


CODE_LENGTH = Monitor("code length", measure, find)
